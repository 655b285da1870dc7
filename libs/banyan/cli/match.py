"""`banyan match`: matching runs over HTTP, as the officer whose token stands in BANYAN_TOKEN."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from banyan.cli.verify import verify_matching
from banyan.kernel.refusal import Refused

LOOK_S = 0.5
TIMEOUT_S = 30.0
STATES = {
    "computing": "计算中",
    "computed": "已算出，待确认",
    "confirmed": "已确认，派出中",
    "applied": "已派出",
    "cancelled": "已取消",
    "failed": "未完成",
}
FILES = ("inputs", "certificate")
Url = Annotated[str, typer.Option(envvar="BANYAN_URL", help="平台网址；令牌取自环境变量 BANYAN_TOKEN")]
RunId = Annotated[str, typer.Argument(help="批量派单编号")]

app = typer.Typer(no_args_is_help=True, help="批量派单：一次求出全局最优，附可核验的证明")


class Platform:
    """The gateway, under the officer's token. What it refuses is refused here with the same code and facts."""

    def __init__(self, url: str) -> None:
        token = os.environ.get("BANYAN_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)

    def post(self, method: str, **body: Any) -> dict[str, Any]:
        """One command or question to matching."""
        given = {name: value for name, value in body.items() if value is not None}
        answer: dict[str, Any] = self._told(self._http.post(f"/v1/matching/{method}", json=given)).json()
        return answer

    def file(self, run_id: str, name: str) -> bytes:
        """A file of a run, whole."""
        return self._told(self._http.get(f"/v1/runs/{run_id}/{name}")).content

    @staticmethod
    def _told(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            problem = answer.json()
            raise Refused(problem["code"], **problem.get("facts", {}))
        return answer


def followed(platform: Platform, run_id: str, passing: tuple[str, ...]) -> dict[str, Any]:
    """The run when it has left the passing states, under a bar of how many requests have no better worker."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:
        task = bars.add_task(STATES[passing[0]], total=None)
        while True:
            view = platform.post("get_run", run_id=run_id)
            bars.update(
                task, description=STATES[view["state"]], completed=int(view["done"]), total=_whole(view["total"])
            )
            if view["state"] not in passing:
                return view
            time.sleep(LOOK_S)


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def told(view: dict[str, Any]) -> str:
    """A run in a sentence or two."""
    text = f"{view['id']} {STATES[view['state']]}"
    summary = view.get("summary")
    if summary:
        text += (
            f"：需求 {summary['requests']} 件，派出 {summary['served']} 件"
            f"（先到先得 {summary['served_first_come']} 件）；得分 {summary['objective']}，"
            f"上界 {summary['bound']}（{summary['status']}），用时 {summary['took_ms']} 毫秒"
        )
    return text + (f"（{view['ended_reason']}）" if view.get("ended_reason") else "")


@app.command("run")
def run_command(
    url: Url,
    division: Annotated[str, typer.Option(help="范围：县、市或省的区划代码")],
    reason: Annotated[str, typer.Option(help="事由")],
    deadline: Annotated[int | None, typer.Option(help="计算时限（秒）")] = None,
    movable: Annotated[bool, typer.Option("--movable", help="尚未答复的派单也可改派他人")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="算出后直接派出")] = False,
) -> None:
    """发起一次批量派单，等到算出（或派出）。"""
    platform = Platform(url)
    asked = {"division": division, "reason": reason, "deadline_s": deadline, "movable": movable, "apply_at_once": apply}
    started = platform.post("start_run", **asked)
    view = followed(platform, started["id"], ("computing", "confirmed"))
    typer.echo(told(view))
    raise typer.Exit(1 if view["state"] == "failed" else 0)


@app.command("confirm")
def confirm_command(run_id: RunId, url: Url) -> None:
    """确认结果并派出；其后的变化先修补。"""
    platform = Platform(url)
    platform.post("confirm_run", run_id=run_id)
    view = followed(platform, run_id, ("confirmed",))
    typer.echo(told(view))
    raise typer.Exit(1 if view["state"] == "failed" else 0)


@app.command("explain")
def explain_command(
    run_id: RunId,
    request_id: Annotated[str, typer.Argument(help="需求编号")],
    url: Url,
    worker: Annotated[str | None, typer.Option(help="问及的社工编号：为何不是此人")] = None,
) -> None:
    """说明为何派给此人，或为何没有派给所问的社工。"""
    found = Platform(url).post("explain_run", run_id=run_id, request_id=request_id, worker_id=worker)
    typer.echo(f"{request_id}：满足的价值 {found['serving']} 分，盈余 {found['surplus']} 分")
    typer.echo(
        _choice("所派社工", found.get("chosen")) if found.get("chosen") else "  没有派给任何人：名额对别的需求更有价值"
    )
    if worker:
        typer.echo(_choice("所问社工", found["asked"]))


def _choice(title: str, choice: Any) -> str:
    if choice["broken"]:
        rules = "、".join(rule["title"] or rule["rule"] for rule in choice["broken"])
        return f"  {title} {choice['worker_id']}：不合规则（{rules}）"
    terms = " + ".join(f"{term['title'] or term['name']} {term['points']}" for term in choice["terms"])
    price = f"名额价格 {choice['price']}，所得 {choice['gain']}"
    return f"  {title} {choice['worker_id']}：评分 {choice['score']} = {terms}；{price}"


@app.command("verify")
def verify_command(run_id: RunId, url: Url) -> None:
    """下载输入与证明，在本机对全部配对重新相加核验。"""
    platform = Platform(url)
    with tempfile.TemporaryDirectory(prefix="banyan-run-") as folder:
        for name in FILES:
            Path(folder, f"{name}.npz").write_bytes(platform.file(run_id, name))
        sentence, holds = verify_matching(Path(folder))
    typer.echo(sentence)
    raise typer.Exit(0 if holds else 1)
