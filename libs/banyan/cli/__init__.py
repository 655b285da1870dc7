"""The command `banyan`: every job of an operator, one sub-command each. Imports wait until a command needs them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from banyan.cli import usage
from banyan.cli.key_commands import key_commands
from banyan.kernel.refusal import Refused, sentence

app = typer.Typer(no_args_is_help=True, add_completion=False, help="榕（Banyan）：社会工作服务平台")
Services = Annotated[list[str] | None, typer.Argument(help="服务名称，缺省为全部")]
Folder = Annotated[Path, typer.Option(help="运行目录")]
RUN = Path(".run/demo")


def main() -> int:
    """Runs a command; a refusal is told in 中文 with its code, facts and remedy, and ends with 2."""
    if sys.argv[1:2] == ["serve"]:  # before typer imports what a process that became green later would have to mend
        from banyan.runtime.rpc import green

        green.patch()
    try:
        return usage.run(app)
    except Refused as refused:
        title, remedy = sentence(refused.code)
        typer.echo(f"{title}。{remedy}\n  代码 {refused.code} {dict(refused.facts) or ''}", err=True)
        return 2


@app.command()
def serve(services: Services = None) -> None:
    """应答 RPC 调用（一个进程可承载若干服务）。"""
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
    from banyan.cli.processes import SERVICES
    from banyan.cli.seed import Seeder

    laptop = Laptop(folder)

    def reference() -> None:
        """What a new release reads besides; a run, say, is not to fail for want of a figure."""
        typer.echo("载入新增的参考数据……")
        seeder = Seeder(laptop.settings())
        seeder.reference(SERVICES)
        seeder.close()

    laptop.up(typer.echo, reference)
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


@app.command()
def demo(
    size: Annotated[str, typer.Option(help="county（一县）或 province（全省）")] = "county",
    random_seed: Annotated[int | None, typer.Option("--seed", help="种子；缺省每次不同，并打印出来")] = None,
    folder: Folder = RUN,
) -> None:
    """启动整个平台并走完一遍主要流程，留下报告。"""
    from banyan.demo.play import run, summary

    summary(run(folder, size, random_seed))


@app.command()
def seed(
    username: str = "operator",
    reference_only: Annotated[
        bool, typer.Option("--reference-only", help="只载入新增的参考数据，不动管理账户：升级之后用")
    ] = False,
    folder: Folder = RUN,
) -> None:
    """载入区划、工作日、政策数据与公钥，并开立第一个管理账户。"""
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES
    from banyan.cli.seed import Seeder, qr

    seeder = Seeder(Laptop(folder).settings())
    typer.echo(f"已载入参考数据，共 {seeder.reference(SERVICES)} 项")
    if reference_only:
        return
    password, address = seeder.operator(username)
    typer.echo(f"管理账户 {username}，口令 {password}（仅显示这一次）")
    typer.echo(f"登录还须动态口令，请用验证器扫描（仅显示这一次；遗失后重新执行本命令即换新）：\n{address}\n{qr(address)}")


@app.command()
def replay(service: Annotated[str, typer.Argument(help="服务名称，如 insight")], folder: Folder = RUN) -> None:
    """从头重放事件，重建统计表并与现有的比较；一致则状态码为 0。"""
    from banyan.cli.laptop import Laptop
    from banyan.cli.replay import run

    raise typer.Exit(0 if run(Laptop(folder), service).equal else 1)


@app.command()
def token(
    account: str,
    duty: str,
    division: str = "350000000000",
    person: str | None = None,
    folder: Folder = RUN,
) -> None:
    """为演示或测试签发一个十分钟的令牌（正式运行时拒绝：请经登录取得）。"""
    from banyan.cli.laptop import Laptop
    from banyan.kernel.context import Caller, Grant
    from banyan.runtime.host.app import system_token
    from banyan.vault.keys import KeyFolder

    laptop = Laptop(folder)
    if laptop.settings().mode == "production":
        raise Refused("token_not_here", folder=str(folder))
    caller = Caller(account=account, person=person, grants=(Grant(duty=duty, division=division),), acr="2")
    typer.echo(system_token(KeyFolder(laptop.key_folder), caller))


@app.command()
def clock(forward: Annotated[str, typer.Option(help="向前移动多少，如 26h、90m")], folder: Folder = RUN) -> None:
    """移动演示或测试的时钟（正式运行时拒绝）。"""
    from banyan.cli.clock import forward as move
    from banyan.cli.clock import milliseconds
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES

    offset_ms = move(Laptop(folder).settings(), SERVICES, milliseconds(forward))
    typer.echo(f"时钟已前移，合计 {offset_ms // 60_000} 分钟（此后的等待时间均为模拟）")


@app.command()
def backup(to: Path, folder: Folder = RUN) -> None:
    """备份全部服务的数据库（密钥须另行备份）。"""
    from banyan.cli.backup import backup as run
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES

    run(Laptop(folder).settings(), SERVICES, to, typer.echo)


@app.command()
def restore(source: Path, folder: Folder = RUN) -> None:
    """从备份恢复到空的数据库；期间已删除的个人信息会再次删除。"""
    from banyan.cli.backup import restore as run
    from banyan.cli.laptop import Laptop
    from banyan.cli.processes import SERVICES
    from banyan.runtime.host.erasures import Ledger

    laptop = Laptop(folder)
    laptop.servers_up(typer.echo)
    settings = laptop.settings()
    run(settings, SERVICES, source, Ledger(settings.ledger_folder()), typer.echo)


@app.command()
def vhost() -> None:
    """在消息服务器上建立 BANYAN_AMQP_URL 所指的虚拟主机并作记号；已有的须为空，或已有本模式的记号。"""
    import os

    from banyan.runtime.host.settings import load
    from banyan.runtime.host.vhost import name_of
    from banyan.testkit.owned import claim_vhost

    admin = os.environ.get("BANYAN_AMQP_ADMIN_URL")
    if not admin:
        raise Refused("broker_admin_unreachable")
    settings = load()
    claim_vhost(settings.amqp_url, admin, settings.mode)
    typer.echo(f"虚拟主机 {name_of(settings.amqp_url)} 可供本平台使用")


app.add_typer(key_commands, name="keys")
partner = typer.Typer(no_args_is_help=True, help="订阅方的消息队列")
app.add_typer(partner, name="partner")


@partner.command("add")
def partner_add(name: str, folder: Folder = RUN) -> None:
    """在消息服务器上为订阅方建立虚拟主机与只读用户；约定须另由主管人员订立。"""
    from banyan.cli.laptop import Laptop
    from banyan.cli.partner import add, admin_url

    laptop = Laptop(folder)
    typer.echo(f"订阅方的队列地址（口令仅显示这一次）：{add(laptop.settings().amqp_url, admin_url(laptop), name)}")


@partner.command("remove")
def partner_remove(name: str, folder: Folder = RUN) -> None:
    """删除订阅方的虚拟主机与用户，连同其中未取走的消息。"""
    from banyan.cli.laptop import Laptop
    from banyan.cli.partner import admin_url, remove

    remove(admin_url(Laptop(folder)), name)


OWN = {
    "verify": "证明事件流或审计记录完整、派单结果最优（见 banyan verify --help）。",
    "match": "批量派单：发起、查看、确认、取消、说明、核验（见 banyan match --help）。",
    "typhoon": "生成的台风日：先到先得与全局最优相比（见 banyan typhoon --help）。",
}
"""Commands with options of their own, each `command` or `app` of a module of this name, imported when it is called."""


def _register(name: str, told: str) -> None:
    if name not in sys.argv[1:2]:
        app.command(name, help=told)(lambda: None)
        return
    module = importlib.import_module(f"banyan.cli.{name}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.command(name)(module.command)


for _name, _told in OWN.items():
    _register(_name, _told)
