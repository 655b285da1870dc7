"""The pages that follow from code: docs/refusals.md, docs/roles.md, docs/machines/*.mmd; `make docs` writes them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from banyan.cli.processes import SERVICES
from banyan.contracts import frame
from banyan.kernel.machine import Machine
from banyan.kernel.message import ACCOUNT, ANYONE, SYSTEM, Ask, Command, Query, contracts
from banyan.kernel.refusal import catalogue
from banyan.runtime.host import roles as host_roles
from banyan.runtime.host.migrate import MARKED

DOCS = Path(__file__).resolve().parents[3] / "docs"
GENERATED = "由 `make docs` 生成，请勿手工修改。"
EVERYBODY = {ANYONE: "任何人（无需登录）", ACCOUNT: "任何已登录账户"}


def pages() -> dict[str, str]:
    """Path under docs -> text, of every generated page."""
    drawn = {f"machines/{name}.mmd": machine.mermaid() for name, machine in machines().items()}
    return {"refusals.md": refusals(), "roles.md": roles(), "../deploy/roles.sql": database_roles(), **drawn}


def database_roles() -> str:
    """deploy/roles.sql: roles and databases of every service, for an administrator of PostgreSQL."""
    rights = [f"--   {table}: {may}" for table, may in host_roles.FRAME.items()]
    rights += [f"--   *{host_roles.HISTORY_ENDING}: {host_roles.HISTORY}", f"--   其余: {host_roles.RECORD}"]
    head = (
        f"-- {GENERATED}来源：libs/banyan/runtime/host/roles.py。仅当执行 banyan migrate 的数据库用户无权建立角色时才需要。\n"
        "-- psql -v migrator=该用户 "
        + " ".join(f'-v banyan_{name}="$(cat 口令目录/{name}.password)"' for name in SERVICES)
        + " -f roles.sql\n"
        "-- 各表的权限由 banyan migrate 授予服务角色：\n" + "\n".join(rights) + "\n\n"
    )
    return head + host_roles.script((f"banyan_{name}" for name in SERVICES), f"{MARKED}:production")


def refusals() -> str:
    """Every refusal code with its HTTP status, sentence and remedy, by name."""
    status_of = importlib.import_module("services.gateway.problems").status_of
    rows = ([f"`{code}`", str(status_of(code)), e["title"], e["remedy"]] for code, e in sorted(catalogue().items()))
    head = (
        "# 拒绝代码\n\n"
        f"{GENERATED}代码一经发布不再改义；来源：`libs/banyan/kernel/refusals.toml`。\n"
        "HTTP 答复为 `application/problem+json`，含 `code`、`title`、`remedy` 与 `facts`。\n\n"
    )
    return head + _table(["代码", "HTTP", "说明", "补救办法"], rows)


def roles() -> str:
    """Who may what: one matrix of contracts and duties for each service, one for what all answer alike."""
    names = _duty_names()
    head = (
        "# 职责与操作\n\n"
        f"{GENERATED}来源：`libs/banyan/contracts` 各操作的 `may`。●：可在其管辖范围内办理；是否属本人、本案，由规则再判断。\n"
    )
    parts = [head]
    for service in SERVICES:
        asks = [*_asks(f"banyan.contracts.{service}")]
        parts.append(f"\n## {service}\n\n" + _matrix(asks, names))
    parts.append("\n## 各服务共有\n\n" + _matrix([*contracts(frame, Query)], names))
    return "".join(parts)


def machines() -> dict[str, Machine]:
    """<service>-<machine> -> every Machine that a module of some services/<service>/domain declares."""
    found = {}
    for service in SERVICES:
        for module in _modules(f"services.{service}.domain"):
            its = [value for value in vars(module).values() if isinstance(value, Machine)]
            found.update({f"{service}-{machine.name}": machine for machine in its})
    return found


def write(docs: Path = DOCS) -> list[str]:
    """Writes every page and removes diagrams of machines that are no more; answers the paths that changed."""
    wanted = pages()
    old = {f"machines/{path.name}": path for path in docs.glob("machines/*.mmd")}
    gone = sorted(old.keys() - wanted.keys())
    for name in gone:
        old[name].unlink()
    changed = [name for name, text in wanted.items() if not _says(docs / name, text)]
    for name in changed:
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(wanted[name], "utf-8")
    return changed + gone


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _asks(contracts_module: str) -> Iterator[type[Ask]]:
    module = importlib.import_module(contracts_module)
    for kind in (Command, Query):
        yield from contracts(module, kind)


def _matrix(asks: list[type[Ask]], names: dict[str, str]) -> str:
    """One row a contract, one column a duty that any of them names, in the order of duties.toml."""
    columns = [code for code in names if any(code in ask.may for ask in asks)]
    head = ["操作", "说明", *(names[code] for code in columns)]
    rows = ([f"`{a.method()}`", _summary(a), *("●" if code in a.may else "" for code in columns)] for a in asks)
    return _table(head, rows)


def _summary(ask: type[Ask]) -> str:
    return (ask.__doc__ or "").strip().splitlines()[0]


def _duty_names() -> dict[str, str]:
    """Code -> name of everybody, of every duty of identity, and of the platform itself."""
    duties = importlib.import_module("services.identity.domain.duties").duties()
    return {**EVERYBODY, **{code: duty.name for code, duty in duties.items()}, SYSTEM: "平台自身"}


def _modules(package: str) -> Iterator[object]:
    """Every module of a package, those of its packages too."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, prefix=f"{package}."):
        yield importlib.import_module(module.name)


def _table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    for name in write():
        print(f"docs/{name}")
