"""`banyan match`: matching runs over HTTP, as the officer whose token stands in BANYAN_TOKEN."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from banyan.cli import match_told
from banyan.cli.verify import verify_matching
from banyan.kernel.refusal import Refused

LOOK_S = 0.5
AWAY_S = 120.0  # so long who follows a run waits for a platform that does not answer
TIMEOUT_S = 30.0
FILES = ("inputs", "certificate")
Url = Annotated[str, typer.Option(envvar="BANYAN_URL", help="平台网址；令牌取自环境变量 BANYAN_TOKEN")]
RunId = Annotated[str, typer.Argument(help="批量派单编号")]

app = typer.Typer(no_args_is_help=True, help="批量派单：一次求出全局最优，附可核验的证明")


class Away(Refused):
    """Nobody answers now. What was ordered goes on; a question can be asked again."""


class Platform:
    """The gateway, under the officer's token. What it refuses is refused here with the same code and facts."""

    def __init__(self, url: str) -> None:
        token = os.environ.get("BANYAN_TOKEN", "")
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if token:  # without one the platform itself says what is missing
            headers["Authorization"] = f"Bearer {token}"
        self._divisions: dict[str, str] = {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)

    def post(self, method: str, **body: Any) -> dict[str, Any]:
        """One command or question to matching."""
        return self._answer("matching", method, body)

    def division(self, code: str) -> str:
        """A division's name with its code; where nobody tells the name, the code alone."""
        if code not in self._divisions:
            try:
                found = self._answer("identity", "find_divisions", {"code": code})["items"][0]["name"]
            except Refused:
                found = ""
            self._divisions[code] = f"{found} {code}".strip()
        return self._divisions[code]

    def file(self, run_id: str, name: str) -> bytes:
        """A file of a run, whole."""
        return self._told("GET", f"/v1/runs/{run_id}/{name}").content

    def _answer(self, service: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in body.items() if value is not None}
        answer: dict[str, Any] = self._told("POST", f"/v1/{service}/{method}", json=given).json()
        return answer

    def _told(self, verb: str, path: str, **sent: Any) -> httpx.Response:
        try:
            answer = self._http.request(verb, path, **sent)
            if not answer.is_error:
                return answer
            problem = answer.json()
            code, facts = str(problem["code"]), problem.get("facts", {})
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            raise Away("gateway_unreachable", reason=type(error).__name__) from error
        raise (Away if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else Refused)(code, **facts)


def runs(platform: Platform) -> Iterator[dict[str, Any]]:
    """All runs within the officer's reach, newest first."""
    after = None
    while True:
        page = platform.post("find_runs", after=after)
        yield from page["items"]
        after = page.get("next")
        if after is None:
            return


def followed(platform: Platform, run_id: str, passing: tuple[str, ...]) -> dict[str, Any]:
    """The run when it has left the passing states, under a bar of how many requests have no better worker. A platform that does
    not answer is waited for: the run goes on without us."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:
        task = bars.add_task(match_told.STATES[passing[0]], total=None)
        answered = time.monotonic()
        while True:
            try:
                view = platform.post("get_run", run_id=run_id)
            except Away:
                if time.monotonic() > answered + AWAY_S:
                    raise
                bars.update(task, description=match_told.AWAY)
                time.sleep(LOOK_S)
                continue
            answered = time.monotonic()
            bars.update(
                task,
                description=match_told.now(view),
                completed=int(view["done"]),
                total=_whole(view["total"]),
            )
            if view["state"] not in passing:
                return view
            time.sleep(LOOK_S)


def _end(view: dict[str, Any]) -> NoReturn:
    """Tells what a run came to; 1 where nothing will be sent out."""
    typer.echo(match_told.told(view))
    raise typer.Exit(1 if view["state"] in ("failed", "cancelled") else 0)


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


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
    typer.echo(f"已发起 {started['id']}；关掉窗口也会算完，之后用 banyan match runs 查看")
    _end(followed(platform, started["id"], ("computing", "confirmed")))


@app.command("runs")
def runs_command(
    url: Url,
    run_id: Annotated[str | None, typer.Argument(help="批量派单编号；不写则列出最近的")] = None,
    last: Annotated[int, typer.Option(min=1, help="列出多少次")] = 20,
) -> None:
    """查看一次批量派单；不写编号则列出管辖范围内最近的，新的在前。"""
    platform = Platform(url)
    if run_id:
        view = platform.post("get_run", run_id=run_id)
        for said in (match_told.line(view, platform.division), *match_told.figures(view, platform.division)):
            typer.echo(said)
        return
    found = list(islice(runs(platform), last))
    for view in found:
        typer.echo(match_told.line(view, platform.division))
    if not found:
        typer.echo("管辖范围内还没有批量派单。")


@app.command("cancel")
def cancel_command(run_id: RunId, url: Url, reason: Annotated[str, typer.Option(help="事由")]) -> None:
    """取消尚未派出的批量派单：计算中止，什么也不派。"""
    platform = Platform(url)
    platform.post("cancel_run", run_id=run_id, reason=reason)
    typer.echo(match_told.told(platform.post("get_run", run_id=run_id)))


@app.command("confirm")
def confirm_command(run_id: RunId, url: Url) -> None:
    """确认结果并派出；其后的变化先修补。"""
    platform = Platform(url)
    platform.post("confirm_run", run_id=run_id)
    _end(followed(platform, run_id, ("confirmed",)))


@app.command("explain")
def explain_command(
    run_id: RunId,
    request_id: Annotated[str, typer.Argument(help="需求编号")],
    url: Url,
    worker: Annotated[str | None, typer.Option(help="问及的社工编号：为何不是此人")] = None,
) -> None:
    """说明为何派给此人，或为何没有派给所问的社工。"""
    found = Platform(url).post("explain_run", run_id=run_id, request_id=request_id, worker_id=worker)
    for said in match_told.decision(request_id, found):
        typer.echo(said)


@app.command("verify")
def verify_command(run_id: RunId, url: Url) -> None:
    """下载输入与证明，在本机对全部配对重新相加核验。"""
    platform = Platform(url)
    with tempfile.TemporaryDirectory(prefix="banyan-run-") as folder:
        for name in FILES:
            Path(folder, f"{name}.npz").write_bytes(platform.file(run_id, name))
        sentence, holds = verify_matching(Path(folder))
        digest = hashlib.sha256(Path(folder, "certificate.npz").read_bytes()).hexdigest()
    summary = platform.post("get_run", run_id=run_id).get("summary") or {}
    if digest != summary.get("certificate_digest"):
        sentence, holds = f"{sentence}\n但证明文件与平台登记的摘要不符：不是这次批量派单的证明，或正在重新计算。", False
    typer.echo(sentence)
    raise typer.Exit(0 if holds else 1)
