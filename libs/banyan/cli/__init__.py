"""The command `banyan`: every job of an operator, one sub-command each. Imports wait until a command needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from banyan.kernel.refusal import Refused, sentence

app = typer.Typer(no_args_is_help=True, add_completion=False, help="榕（Banyan）：社会工作服务平台")
Services = Annotated[list[str] | None, typer.Argument(help="服务名称，缺省为全部")]
Folder = Annotated[Path, typer.Option(help="运行目录")]
RUN = Path(".run/demo")


def main() -> int:
    """Runs a command; a refusal is told in 中文 with its code, facts and remedy, and ends with 2."""
    try:
        app()
    except Refused as refused:
        title, remedy = sentence(refused.code)
        typer.echo(f"{title}。{remedy}\n  代码 {refused.code} {dict(refused.facts) or ''}", err=True)
        return 2
    return 0


@app.command()
def serve(services: Services = None) -> None:
    """应答 RPC 调用（一个进程可承载若干服务）。"""
    from banyan.runtime.rpc import green

    green.patch()
    from banyan.cli.processes import serve as run

    run(services or [])


@app.command()
def work(services: Services = None) -> None:
    """处理事件、到期事项、通知与后台作业。"""
    from banyan.cli.processes import work as run

    run(services or [])


@app.command()
def gateway() -> None:
    """HTTP 网关。"""
    from banyan.cli.processes import gateway as run

    run()


@app.command()
def migrate(services: Services = None) -> None:
    """建立或升级各服务的数据库。"""
    from banyan.cli.processes import migrate as run

    run(services or [])


@app.command()
def up(folder: Folder = RUN) -> None:
    """在本机启动整个平台（自带 PostgreSQL 与 RabbitMQ，除非环境变量另有指定）。"""
    from banyan.cli.laptop import Laptop

    laptop = Laptop(folder)
    laptop.up(typer.echo)
    typer.echo(f"平台已就绪：{laptop.url}")


@app.command()
def down(folder: Folder = RUN) -> None:
    """停止平台；不删除任何数据与密钥。"""
    from banyan.cli.laptop import Laptop

    Laptop(folder).down(typer.echo)


@app.command()
def status(folder: Folder = RUN) -> None:
    """平台各部分的状况；有异常时指出是哪一部分、下一步做什么。"""
    from banyan.cli.laptop import Laptop
    from banyan.cli.status import table

    sick = table(Laptop(folder))
    raise typer.Exit(1 if sick else 0)


@app.command("verify")
def verify_command() -> None:
    """证明事件流或审计记录完整（见 banyan verify --help）。"""


def _register_verify() -> None:
    from banyan.cli.verify import command

    app.registered_commands[:] = [c for c in app.registered_commands if c.name != "verify"]
    app.command("verify")(command)


if "verify" in sys.argv[1:2]:
    _register_verify()
