"""`make demo-typhoon`: a generated typhoon day answered as it comes and by the optimum, proved, and shown on one page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.matching.optimum import certificate
from services.matching.optimum.check import check
from services.matching.optimum.peers import first_come
from services.matching.optimum.solve import solve
from services.matching.ranking import warm
from services.matching.typhoon import figures as told
from services.matching.typhoon import fortnight
from services.matching.typhoon.day import day
from services.matching.typhoon.page import render
from services.matching.typhoon.waits import waits

STEPS = {
    "day": "生成台风日",
    "first_come": "先到先得逐件派单",
    "optimum": "全局最优",
    "check": "对全部配对核验证书",
    "fortnight": "生成的两周，逐日派单",
    "page": "写出报告",
}
REPORT, PAGE = "report.json", "report.html"
Row = Mapping[str, Any]
FORTNIGHT_PART, FORTNIGHT_LEAST, SURGE_PERCENT, ORDINARY_PERCENT = 20, 100, 86, 17
"""The fortnight has one in so many of the workers, no fewer than the least, and so many calls for a hundred of them on a day of
the surge and after."""


def play(
    villages: Sequence[str], names: Mapping[str, str], folder: Path, *, requests: int, workers: int, seed: int
) -> dict[str, Any]:
    """Plays the day and writes report.json, report.html, inputs.npz and certificate.npz; answers the report."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    seconds: dict[str, float] = {}
    with Progress(*columns) as bars:

        def step(name: str, work: Callable[[], Any]) -> Any:
            task, begun = bars.add_task(STEPS[name], total=None), time.monotonic()
            done = work()
            seconds[name] = round(time.monotonic() - begun, 1)
            bars.update(task, total=1, completed=1)
            return done

        warm()
        drawn = step("day", lambda: day(villages, requests, seed, size=workers))
        problem = drawn.problem
        comer = step("first_come", lambda: first_come(problem, -drawn.waited_days))  # who waits longest came first
        found = step("optimum", lambda: solve(problem))
        proof = certificate.Certificate.of(problem, found)
        certificate.write(folder, problem, proof)
        verdict = step("check", lambda: check(*certificate.read(folder)))
        report = told.figures(drawn, {told.COMER: comer, told.BEST: found.assigned}, names) | {
            "seed": seed,
            "status": verdict.status,
            "gap": verdict.gap,
            "pairs": verdict.pairs,
            "objective": verdict.objective,
            "bound": verdict.bound,
            "story": told.story(drawn, proof, comer, names),
            "seconds": seconds,
            "steps": STEPS,
            "waits": step(
                "fortnight", lambda: _waits(villages, names, max(FORTNIGHT_LEAST, workers // FORTNIGHT_PART), seed)
            ),
        }
        proved = told.proved_county(drawn, proof, names)
        step("page", lambda: (folder / PAGE).write_text(render(report, proved), "utf-8"))
    (folder / REPORT).write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
    _tell(report, folder)
    return report


def _waits(villages: Sequence[str], names: Mapping[str, str], size: int, seed: int) -> dict[str, Any]:
    """A fortnight of so many workers under both ways of sending, in figures."""
    surge, ordinary = size * SURGE_PERCENT // 100, size * ORDINARY_PERCENT // 100
    of = fortnight.draw(villages, seed, size=size, surge_calls=surge, calls_a_day=ordinary)
    best = fortnight.play(of, lambda problem, waited: solve(problem).assigned)
    return waits(of, {told.COMER: fortnight.play(of, fortnight.as_it_comes), told.BEST: best}, names)


def _tell(report: Row, folder: Path) -> None:
    served, many = report["served"], report["requests"]
    say = Console().print
    for way, title in ((told.COMER, "先到先得"), (told.BEST, "全局最优")):
        say(f"{title}：{many:,} 件求助中派出 {served[way]:,} 件（{served[way] / many:.1%}）")
    say(f"证书：{report['status']}，已核对 {report['pairs']:,} 个可行配对，差距 {report['gap']} 分")
    say(f"报告：{(folder / PAGE).resolve()}")
