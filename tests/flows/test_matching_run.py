"""A matching run on real PostgreSQL: computed by a process of its own, proved, sent out in one step, explained."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.kernel.message import Query
from banyan.kernel.policy import Figure
from banyan.kernel.refusal import Refused
from banyan.runtime.host import jobs
from services.matching.optimum import certificate
from services.matching.optimum.check import OPTIMAL, check
from tests.flows.matching_platform import Platform, matching_on, triaged, workers
from tests.rules.matching_given import COUNTY, DUTY, NOW, TOWN, by, caller

BANDS = Figure(name="run_load_bands", since=NOW.date(), value=[[50, 300]], unit="", source="test")
ATTEMPTS = 4
FAR = caller("acc-far", ("duty_officer", "350100000000"))


@pytest.fixture(scope="module")
def platform(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Matching with three workers of two places each, of whom load bands are asked."""
    with matching_on(postgres.url, tmp_path_factory.mktemp("run"), [BANDS]) as running:
        workers(running, 3, weekly_capacity=2)
        yield running


def started(platform: Platform, **other: Any) -> str:
    """A run over the county, just ordered."""
    return str(platform.do(DUTY, m.StartRun(division=COUNTY, reason="台风过后集中派单", **other))["id"])


def run_of(platform: Platform, id: str) -> m.RunView:
    """The run as its officer sees it."""
    view: m.RunView = platform.ask(DUTY, m.GetRun(run_id=id))
    return view


def file_of(platform: Platform, query: type[Query], id: str, folder: Path, name: str) -> None:
    """Downloads a file part by part."""
    first, content = platform.ask(DUTY, query(run_id=id)), b""  # type: ignore[call-arg]
    while len(content) < first.size:
        content += platform.ask(DUTY, query(run_id=id, part=len(content) // len(first.content))).content  # type: ignore[call-arg]
    (folder / name).write_bytes(content)


def test_a_run_is_computed_proved_and_sent_out_in_one_step(platform: Platform, tmp_path: Path) -> None:
    waiting = [triaged(platform) for _ in range(7)]
    id = started(platform)
    with pytest.raises(Refused) as overlapping:
        platform.do(DUTY, m.StartRun(division=TOWN, reason="再来一次"))
    assert overlapping.value.code == "run_overlaps"
    assert jobs.turn(platform.bus) == 1
    view = run_of(platform, id)
    assert (view.state, view.summary.status, view.summary.requests) == ("computed", "optimal_all_pairs", 7)
    assert (view.summary.served, view.summary.places, view.done, view.total) == (6, 6, 7, 7)
    assert view.summary.served_first_come == 6
    assert view.summary.options[0].points_cost >= 0 and view.summary.options[0].served_plain == 6
    assert [platform.request(r).state for r in waiting] == ["proposed"] * 7, "nothing is sent before it is confirmed"

    file_of(platform, m.ReadRunInputs, id, tmp_path, certificate.INPUTS)
    file_of(platform, m.ReadRunCertificate, id, tmp_path, certificate.CERTIFICATE)
    problem, proof = certificate.read(tmp_path)
    assert check(problem, proof).status == OPTIMAL
    assert not [name for name in problem.request_ids if name in waiting], "the files tell nobody's id"

    late = triaged(platform)  # the state moves on between result and confirmation
    platform.do(DUTY, m.ConfirmRun(run_id=id))
    assert jobs.turn(platform.bus) == 1
    view = run_of(platform, id)
    assert (view.state, view.summary.requests, view.summary.served) == ("applied", 8, 6)
    assert view.summary.renewed and view.summary.repaired
    sent = [r for r in (*waiting, late) if platform.request(r).state == "dispatched"]
    loads = {w: sum(platform.request(r).offer.worker_id == w for r in sent) for w in ("a-w0", "a-w1", "a-w2")}
    assert len(sent) == 6 and set(loads.values()) == {2}

    left = next(r for r in (*waiting, late) if r not in sent)
    nobody = platform.ask(DUTY, m.ExplainRun(run_id=id, request_id=left, worker_id="a-w0"))
    assert nobody.chosen is None and nobody.asked.gain <= nobody.surplus == 0, "her place is worth more elsewhere"
    given = platform.ask(DUTY, m.ExplainRun(run_id=id, request_id=sent[0]))
    assert given.chosen.gain == given.surplus and sum(t.points for t in given.chosen.terms) == given.chosen.score
    with pytest.raises(Refused) as hidden:
        platform.ask(FAR, m.GetRun(run_id=id))
    assert hidden.value.code == "not_found"
    assert id in [run.id for run in platform.ask(DUTY, m.FindRuns()).items]

    platform.tick(minutes=1)
    platform.do(by(platform.request(sent[0]).offer.worker_id), m.AcceptOffer(request_id=sent[0]))


def test_a_run_given_up_while_it_is_computed_sends_nothing(platform: Platform) -> None:
    id = started(platform)
    platform.do(DUTY, m.CancelRun(run_id=id, reason="范围选错"))
    assert jobs.turn(platform.bus) == 0
    assert (run_of(platform, id).state, run_of(platform, id).ended_reason) == ("cancelled", "范围选错")
    with pytest.raises(Refused) as ended:
        platform.do(DUTY, m.ConfirmRun(run_id=id))
    assert ended.value.code == "wrong_state"


def test_a_solver_that_is_killed_begins_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    triaged(platform)
    id = started(platform, apply_at_once=True)
    monkeypatch.setattr(jobs, "RETRY_S", (0,))
    threading.Thread(target=_kill_solver, daemon=True).start()
    assert jobs.turn(platform.bus) == 0
    assert "信号 9" in (run_of(platform, id).trouble or "")
    assert jobs.turn(platform.bus) == 2, "computed, and sent out, as was ordered"
    assert run_of(platform, id).state == "applied"


def test_a_solver_that_is_killed_again_and_again_ends_the_run_and_the_place_is_free_for_another(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = triaged(platform)
    id = started(platform, apply_at_once=True)
    monkeypatch.setattr(jobs, "RETRY_S", (0,))
    finished = []
    for _ in range(ATTEMPTS):
        killing = threading.Thread(target=_kill_solver, daemon=True)
        killing.start()
        finished.append(jobs.turn(platform.bus))
        killing.join()
    assert finished == [0, 0, 0, 1], "the last one ends the run"
    assert (run_of(platform, id).state, run_of(platform, id).ended_reason) == ("failed", "run_interrupted")
    assert platform.request(waiting).offer is None
    other = started(platform, apply_at_once=True)
    assert jobs.turn(platform.bus) == 2 and run_of(platform, other).state == "applied"


def test_a_solver_that_gives_up_ends_the_run_and_the_place_is_free_for_another(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = started(platform)
    with monkeypatch.context() as patch:
        patch.setattr("services.matching.jobs.SOLVER", "services.matching.optimum.nowhere")
        assert jobs.turn(platform.bus) == 1
    assert (run_of(platform, id).state, run_of(platform, id).ended_reason) == ("failed", "run_failed")
    other = started(platform)
    assert jobs.turn(platform.bus) == 1 and run_of(platform, other).state == "computed"
    platform.do(DUTY, m.CancelRun(run_id=other, reason="试毕"))


def _kill_solver() -> None:
    """Kills the first solver that this process starts."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in child.read_text().split():
                if b"services.matching.optimum" in Path("/proc", pid, "cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGKILL)
                    return
        time.sleep(0.01)


def test_what_a_run_was_computed_from_is_forgotten_in_time_and_the_certificate_stays(platform: Platform) -> None:
    id = next(run.id for run in platform.ask(DUTY, m.FindRuns()).items if run.state == "applied")
    platform.tick(days=181)
    with pytest.raises(Refused) as forgotten:
        platform.ask(DUTY, m.ReadRunInputs(run_id=id))
    assert forgotten.value.code == "file_none"
    assert platform.ask(DUTY, m.ReadRunCertificate(run_id=id)).size > 0


def test_a_deadline_beyond_what_is_allowed_is_refused(platform: Platform) -> None:
    with pytest.raises(Refused) as refused:
        started(platform, deadline_s=100_000)
    assert (refused.value.code, refused.value.facts["most"]) == ("bad_deadline", 3600)
