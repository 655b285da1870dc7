"""`banyan demo`: sets all up, plays the story, kills RabbitMQ in the middle, proves the outcome, writes the report."""

from __future__ import annotations

import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from banyan.cli.clock import forward as move_clock
from banyan.cli.clock import milliseconds
from banyan.cli.laptop import Laptop
from banyan.cli.processes import SERVICES
from banyan.cli.replay import rebuilt
from banyan.demo import proof, report
from banyan.demo.api import Api
from banyan.demo.batch import sent
from banyan.demo.crowd import Crowd
from banyan.demo.stage import Stage, log_in, set_up
from banyan.demo.story import Story
from banyan.demo.world import build
from banyan.kernel.refusal import Refused
from banyan.vault.keys import KeyFolder

console = Console()
SCENES = 6


def run(folder: Path, size: str, seed: int | None) -> dict[str, Any]:
    """Plays the demo; answers its report."""
    if size not in ("county", "province"):
        raise Refused("bad_input", field="size", detail="county 或 province")
    started = time.monotonic()
    seed = seed if seed is not None else random.SystemRandom().randrange(1_000_000)
    world = build(size, seed)
    console.rule("榕 · 社会工作服务平台演示")
    console.print(f"规模：{size}　种子：{seed}　（区划是真实的；人员与求助由种子生成，并非真实人员）")
    laptop = Laptop(folder)
    laptop.reset(console.print)
    ready_s = laptop.up(console.print)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as bars:
        found = _play(laptop, Stage(world, Api(laptop.url, KeyFolder(laptop.key_folder)), _bars(bars)), bars)
    found |= {"ready_seconds": round(ready_s, 1), "seconds": round(time.monotonic() - started)}
    (folder / "report.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (folder / "report.html").write_text(report.html(found), "utf-8")
    return found


def _bars(bars: Progress) -> Any:
    tasks: dict[str, Any] = {}

    def progress(step: str, done: int, of: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=of)
        bars.update(tasks[step], completed=done, total=of)

    return progress


def _play(laptop: Laptop, stage: Stage, bars: Progress) -> dict[str, Any]:
    say = bars.console.print
    draw = random.Random(stage.world.seed + 2)

    def forward(by: str) -> None:
        offset_ms = move_clock(laptop.settings(), SERVICES, milliseconds(by))
        say(f"  （演示时钟前移 {by}，累计 {offset_ms // 3_600_000} 小时；此后的等待时间均为模拟）")

    set_up(laptop, stage, say)
    story = Story(stage, forward, say, draw)
    say("第一幕：一户人家求助，有人退单，有人未答复，改派后有人接单；危机、受保护个案与无人可派的个案")
    story.play()
    say("第二幕：众人求助")
    crowd = Crowd(stage, forward, draw)
    crowd.take_all(stage.world.requests - SCENES)
    broken: dict[str, Any] = {}

    def break_rabbit() -> None:
        say("第三幕：RabbitMQ 突然被杀死，再重新启动；平台自行恢复")
        at = time.monotonic()
        laptop.rabbit.kill()
        laptop.rabbit.start()
        broken["rabbit_down_seconds"] = round(time.monotonic() - at, 1)

    batch: dict[str, Any] = {}
    crowd.serve(lambda: batch.update(sent(stage, say)), break_rabbit)
    worker = story.left_open(partial(log_in, laptop, stage))
    crowd.settle()
    say("第四幕：数字与证明")
    found = report.collect(stage, story, crowd, laptop) | broken | {"batch": batch}
    found["worker_login"] = {"username": worker.username, "password": worker.password}
    keys = KeyFolder(laptop.key_folder)
    found["replay_equal"] = rebuilt(laptop, "insight", stage.progress).equal
    _erase_one(stage, story, say)
    found["erased_replay_equal"] = rebuilt(laptop, "insight", stage.progress).equal
    found["streams"] = proof.streams(stage, keys)
    return found


def _erase_one(stage: Stage, story: Story, say: Any) -> None:
    """A person asks to be forgotten: the key is destroyed, events and figures stay."""
    person = next(p for p in stage.people if p["id"] not in {w.person for w in stage.workers.values()})
    stage.api.command(stage["privacy"], "registry", "erase_person", person_id=person["id"], reason="本人请求删除")
    say(f"  · 个人信息删除，密钥已销毁，统计与证明不变：…{person['id'][-6:]}")
    time.sleep(1.0)


def summary(found: dict[str, Any]) -> None:
    """The words at the end."""
    console.rule("演示结果")
    whole = all(stream["verified"] for stream in found["streams"])
    batch = found["batch"]
    urls, login, worker = found["urls"], found["login"], found["worker_login"]
    lines = (
        "区划 {divisions}　人才 {professionals}　有服务任职 {assigned}　求助 {requests}".format_map(found),
        "得到服务 {served}　有理由结案 {closed_with_reason}　退单后仍得到服务 {served_after_decline}".format_map(found),
        "逐级上报 {escalated}　无人负责 {dropped}　等待中位数 {wait_minutes_p50} 分钟（模拟时钟）".format_map(found),
        "批量派单 {requests} 件　派出 {served}（先到先得 {served_first_come}）　".format_map(batch)
        + f"证书验证通过：{_yes(batch['verified'])}",
        f"重放一致：{_yes(found['replay_equal'])}　删除个人信息后重放一致：{_yes(found['erased_replay_equal'])}",
        f"事件流 {len(found['streams'])} 条，全部验证通过：{_yes(whole)}",
        f"网关 {urls['gateway']}　报告 {urls['report']}",
        f"登录：{login['username']} / {login['password']}（县登记审核员）",
        f"登录：{worker['username']} / {worker['password']}（社会工作者，有一件派单待答复，见 docs/gateway-developers.md）",
        f"用时 {found['seconds']} 秒。平台继续运行；停止：make down",
    )
    for line in lines:
        console.print(line)


def _yes(true: bool) -> str:
    return "是" if true else "否"
