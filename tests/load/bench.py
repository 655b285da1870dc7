"""All benchmarks, one after another: `make bench`, or `python -m tests.load.bench [--only command --only import]`.

Each part is a module of its own, run in its own process, and starts its own servers. Ratios come from peers that take
turns within one run, median of five rounds or more. Results go to .run/bench.json; docs/benchmarks.md tells of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from banyan.testkit.postgres import binaries

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / ".run" / "bench.json"
LIBRARIES = ("nameko", "eventlet", "kombu", "amqp", "psycopg", "psycopg-pool", "msgspec", "numpy", "cryptography")


@dataclass(frozen=True)
class Figure:
    """A figure with what it must reach; None: it is shown only."""

    name: str
    title: str
    reach: str
    met: Callable[[float], bool] | None

    def verdict(self, value: float | None) -> str:
        """达到, 未达到, or that it is only shown or was not measured."""
        if value is None:
            return "未测得"
        if self.met is None:
            return "供参考"
        return "达到　" if self.met(value) else "未达到"


FIGURES: dict[str, tuple[Figure, ...]] = {
    "rpc": (
        Figure("rpc_throughput_vs_stock", "RPC 回声，20 个调用方，吞吐量与原版 nameko 之比", ">= 3", lambda v: v >= 3),
        Figure("rpc_p50_vs_stock", "RPC 回声，1 个调用方，中位时延与原版 nameko 之比", "<= 0.5", lambda v: v <= 0.5),
    ),
    "command": (
        Figure("command_vs_raw_sql", "进程内持久命令，与五条手写 SQL 的速率之比", ">= 0.9", lambda v: v >= 0.9),
        Figure("command_vs_pipelined_sql", "同上，与流水线方式的五条 SQL 之比", "-", None),
    ),
    "command_rpc": (
        Figure("command_rpc_vs_stock_ping", "经 RPC 的持久命令，与原版 nameko 空回声之比", ">= 1", lambda v: v >= 1),
    ),
    "events": (Figure("events_batched_vs_single", "事件由发件箱到生效，成批与逐条之比", ">= 10", lambda v: v >= 10),),
    "import": (Figure("import_vs_copy", "人员导入与 COPY 的行速之比（争取 0.05）", ">= 0.02", lambda v: v >= 0.02),),
    "ranking": (Figure("ranking_vs_sql", "七万人精确排序，SQL 与本平台的中位时延之比", ">= 5", lambda v: v >= 5),),
    "ranking_rpc": (Figure("ranking_rpc_vs_sql", "同上，双方都经 RPC", "-", None),),
    "platform": (
        Figure("rss_mb", "整个平台自有进程的常驻内存（MB）", "< 1000", lambda v: v < 1000),
        Figure("ready_s", "整个平台由启动到就绪（秒，热启动）", "< 20", lambda v: v < 20),
    ),
}


def run(part: str, rounds: int | None) -> dict[str, Any] | None:
    """One part's result; its output is shown as it comes. None where it failed."""
    with tempfile.TemporaryDirectory(prefix="banyan-bench-") as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", f"tests.load.bench_{part}", "--json", str(out)]
        command += ["--rounds", str(rounds)] if rounds else []
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'libs'}:{ROOT}", "PYTHONUTF8": "1"}
        before, begun = os.getloadavg()[0], time.monotonic()
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
            show(child)
        if child.returncode or not out.exists():
            print(f"{part} 未能完成（退出码 {child.returncode}）", flush=True)
            return None
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return {**found, "load_before": round(before, 2), "took_s": round(time.monotonic() - begun)}


def show(child: subprocess.Popen[str]) -> None:
    """A part's progress as it comes, up to the result, which is JSON."""
    shown = True
    for line in child.stdout or ():
        shown = shown and not line.startswith("{")
        if shown:
            print(line, end="", flush=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    postgres = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=False)
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "postgres": postgres.stdout.strip(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def table(result: dict[str, Any], parts: Sequence[str]) -> str:
    """The figures with what they must reach."""
    lines = [f"{'name':<28}{'value':>10}  {'reach':<8}", "-" * 90]
    for part in parts:
        for figure in FIGURES[part]:
            value = result.get(figure.name)
            shown = "-" if value is None else f"{value:g}"
            lines.append(f"{figure.name:<28}{shown:>10}  {figure.reach:<8}{figure.verdict(value)}  {figure.title}")
    return "\n".join(lines)


def main() -> int:
    """Runs the parts, keeps each result as soon as it is there; 1 where a part could not be measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", choices=list(FIGURES), help="只运行某一部分，可重复")
    options.add_argument("--rounds", type=int, help="轮数，缺省由各部分自定（不少于五轮）")
    chosen = options.parse_args()
    parts = chosen.only or list(FIGURES)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    failed = []
    for number, part in enumerate(parts, 1):
        print(f"[{number}/{len(parts)}] {part}：{'；'.join(figure.title for figure in FIGURES[part])}", flush=True)
        found = run(part, chosen.rounds)
        failed += [] if found else [part]
        result |= {figure.name: (found or {}).get(figure.name) for figure in FIGURES[part]}
        result["raw"] = {**result.get("raw", {}), part: found}
        result["machine"] = machine()
        RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"\n{table(result, parts)}\n\n结果已写入 {RESULT.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
