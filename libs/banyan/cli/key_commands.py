"""The sub-commands of `banyan keys`. Imports wait until a command needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Option(help="运行目录")]
RUN = Path(".run/demo")
key_commands = typer.Typer(no_args_is_help=True, help="密钥：查看、轮换、改由新密钥保护、停用")
Role = Annotated[str, typer.Argument(help="master（主密钥）或 signing（签名密钥）")]


@key_commands.command("list")
def keys_list(folder: Folder = RUN) -> None:
    """列出全部密钥、各自状态，以及主密钥保护的人数。"""
    from banyan.cli.keys import TITLES, listed
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES

    settings = Laptop(folder).settings()
    for role, named, state in listed(settings, SERVICES):
        typer.echo(f"{TITLES[role]}　{named}　{state}")
    typer.echo(f"密钥目录：{settings.key_folder()}（须与数据库备份分开备份）")


@key_commands.command("rotate")
def keys_rotate(
    role: Role,
    now: Annotated[bool, typer.Option("--now", help="新建后立即启用，不分两步")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只说明将做什么")] = False,
    folder: Folder = RUN,
) -> None:
    """换用新密钥，分两步：先就位，再执行一次即启用；旧密钥仍可读。索引密钥不能轮换。"""
    from banyan.cli.keys import rotate
    from banyan.cli.laptop import Laptop

    rotate(Laptop(folder).settings(), role, typer.echo, now=now, dry_run=dry_run)


@key_commands.command("rewrap")
def keys_rewrap(folder: Folder = RUN) -> None:
    """把全部个人密钥改由当前主密钥保护；可随时中断，再执行即继续。"""
    from banyan.cli.keys import rewrap
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES

    typer.echo(f"完成，共 {rewrap(Laptop(folder).settings(), SERVICES, typer.echo)} 人")


@key_commands.command("retire")
def keys_retire(role: Role, key_id: str, folder: Folder = RUN) -> None:
    """停用一把旧密钥；仍在使用的拒绝停用。"""
    from banyan.cli.keys import retire
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES

    retire(Laptop(folder).settings(), SERVICES, role, key_id, typer.echo)
