"""A matching run around people's lives: conflicts, households, islands, workers who leave; and runs that meet or are ended."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from banyan.contracts import matching as m
from banyan.kernel.context import Caller
from banyan.kernel.policy import Figure
from banyan.kernel.refusal import Refused
from banyan.runtime.host import apart, jobs
from services.matching.optimum.certificate import CERTIFICATE
from tests.flows import jobs_processes
from tests.flows.matching_platform import Platform, matching_on, taken, triaged, workers
from tests.rules.matching_given import (
    CITY,
    COUNTY,
    DUTY,
    LEAD,
    NOW,
    PROVINCIAL,
    SYSTEM,
    TOWN,
    assess,
    caller,
    household,
    keep,
)  # fmt: skip

JINMEN, PROVINCE = "350527000000", "350000000000"
CITY_DUTY = caller("acc-city", ("duty_officer", CITY))
WAIT_S = 30.0


@pytest.fixture
def platform(postgres: Any, tmp_path: Path) -> Iterator[Platform]:
    """Matching with nobody in it yet."""
    with matching_on(postgres.url, tmp_path) as running:
        yield running


def start(platform: Platform, who: Caller = DUTY, division: str = COUNTY, **other: Any) -> str:
    """A run, just ordered."""
    return str(platform.do(who, m.StartRun(division=division, reason="集中派单", **other))["id"])


def done(platform: Platform, who: Caller = DUTY, division: str = COUNTY) -> m.RunView:
    """A run that was sent out."""
    id = start(platform, who, division, apply_at_once=True)
    assert jobs.turn(platform.bus) == 2
    view: m.RunView = platform.ask(who, m.GetRun(run_id=id))
    assert view.state == "applied"
    return view


def asked(platform: Platform, request_id: str) -> str | None:
    """The worker who has the request as an offer."""
    offer = platform.request(request_id).offer
    return offer.worker_id if offer else None


def until(true: Callable[[], object]) -> None:
    """Polls; fails after half a minute."""
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended, be it that nobody has asked how yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def solvers(of: int) -> list[psutil.Process]:
    """Solvers that a process has started."""
    found = []
    for child in psutil.Process(of).children():
        if not gone(child) and "services.matching.optimum" in child.cmdline():
            found.append(child)
    return found


# --- people
def test_whom_a_call_names_as_conflict_never_comes_though_nobody_else_is_left(platform: Platform) -> None:
    workers(platform, 1)
    barred, other = triaged(platform, excluded_workers=("p-w0",)), triaged(platform)
    view = done(platform)
    assert (asked(platform, barred), asked(platform, other)) == (None, "a-w0")
    why = platform.ask(DUTY, m.ExplainRun(run_id=view.id, request_id=barred, worker_id="a-w0"))
    assert why.chosen is None and [rule.rule for rule in why.asked.broken] == ["no_conflict"]


def test_members_of_a_household_each_get_a_worker_and_each_member_s_conflict_is_their_own(platform: Platform) -> None:
    workers(platform, 2, weekly_capacity=1)
    home = platform.do(LEAD, household("p-lin", "p-son"))["id"]
    mother = triaged(platform, household_id=home, excluded_workers=("p-w0",))
    son = triaged(platform, household_id=home, client_id="p-son", client_name="林小明")
    done(platform)
    assert (asked(platform, mother), asked(platform, son)) == ("a-w1", "a-w0")


def test_a_county_without_towns_and_pairs_across_county_lines_only_where_both_sides_allow_it(
    platform: Platform,
) -> None:
    lead = caller("acc-jinmen", ("station_lead", JINMEN))
    calls = {}
    for urgency in (1, 2):
        calls[urgency] = taken(platform, lead, division=JINMEN, point=None)
        platform.do(lead, assess(platform.request(calls[urgency]), urgency=urgency))
    platform.settle()
    here = {"lon_udeg": 118_323_200, "lat_udeg": 24_436_400}
    platform.do(SYSTEM, keep(0, **here, area=COUNTY, cross_area=True))
    platform.do(SYSTEM, keep(1, **here, area=COUNTY))
    province = done(platform, PROVINCIAL, PROVINCE)
    assert (asked(platform, calls[1]), asked(platform, calls[2])) == (None, "a-w0")
    for request, worker in ((calls[1], "a-w0"), (calls[2], "a-w1")):
        why = platform.ask(PROVINCIAL, m.ExplainRun(run_id=province.id, request_id=request, worker_id=worker))
        assert [rule.rule for rule in why.asked.broken] == ["jurisdiction"]
    platform.do(SYSTEM, keep(2, **here, area=JINMEN))
    done(platform, PROVINCIAL, JINMEN)
    assert asked(platform, calls[1]) == "a-w2"


def test_a_worker_who_leaves_with_an_offer_out_is_not_asked_again_and_the_call_is_sent_to_another(
    platform: Platform,
) -> None:
    workers(platform, 2)
    first = triaged(platform)
    platform.do(LEAD, m.DispatchNext(request_id=first))
    gone = asked(platform, first)
    second = triaged(platform)
    id = start(platform)
    assert jobs.turn(platform.bus) == 1
    platform.do(SYSTEM, m.SuspendWorker(worker_id=gone, division=TOWN, reason="登记暂停"))
    platform.settle()  # the offer goes back
    platform.do(DUTY, m.ConfirmRun(run_id=id))
    assert jobs.turn(platform.bus) == 1
    view = platform.ask(DUTY, m.GetRun(run_id=id))
    assert (view.state, view.summary.renewed, view.summary.requests) == ("applied", True, 2)
    other = {"a-w0": "a-w1", "a-w1": "a-w0"}[str(gone)]
    assert asked(platform, first) == asked(platform, second) == other


# --- runs
def test_of_runs_that_are_ordered_at_once_over_one_place_one_begins_and_beside_it_another_place_s(
    platform: Platform,
) -> None:
    outcomes: list[str] = []

    def order(who: Caller, division: str) -> None:
        try:
            start(platform, who, division)
            outcomes.append("started")
        except Refused as refused:
            outcomes.append(refused.code)

    orders = [(CITY_DUTY, CITY), (DUTY, COUNTY), (PROVINCIAL, PROVINCE)]
    threads = [threading.Thread(target=order, args=each) for each in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["run_overlaps", "run_overlaps", "started"]
    running = platform.ask(PROVINCIAL, m.FindRuns()).items
    platform.do(PROVINCIAL, m.CancelRun(run_id=running[0].id, reason="改为分县"))
    start(platform)
    start(platform, PROVINCIAL, JINMEN)


def test_a_run_cancelled_while_its_solver_works_ends_the_solver_and_sends_nothing(platform: Platform) -> None:
    workers(platform, 2)
    waiting = triaged(platform)
    id = start(platform, apply_at_once=True)
    working = threading.Thread(target=jobs.turn, args=(platform.bus,))
    working.start()
    until(lambda: solvers(os.getpid()))
    (solver,) = solvers(os.getpid())
    solver.suspend()  # however quick it is, it is half-way
    platform.do(DUTY, m.CancelRun(run_id=id, reason="范围选错"))
    working.join(WAIT_S)
    assert not working.is_alive() and not solver.is_running()
    assert jobs.turn(platform.bus) == 0 and asked(platform, waiting) is None
    assert platform.rows("select 1 from run_file where name = %s", CERTIFICATE) == []


def test_a_process_killed_half_way_leaves_no_solver_and_no_lock_and_its_run_begins_again_from_the_same_state(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    workers(platform, 2)
    waiting = triaged(platform)
    id = start(platform, apply_at_once=True)
    kill_half_way(platform)
    digest = platform.rows("select digest from run_file where run_id = %s", id)
    assert list(tmp_path.glob("banyan-*/*/inputs.npz")), "the killed one could not clear its folder"
    assert platform.rows("select attempts from job where id = %s", id) == [(1,)], "it counts as an attempt"
    assert jobs.turn(platform.bus) == 2
    view = platform.ask(DUTY, m.GetRun(run_id=id))
    assert view.state == "applied" and asked(platform, waiting)
    assert digest == [(view_digest(platform, id),)]
    assert list(tmp_path.glob("banyan-*/*")) == [], "what it was computed from lies nowhere but in the database"


def test_a_run_whose_process_is_killed_as_often_as_it_may_be_ends_and_its_place_is_free(
    postgres: Any, tmp_path: Path
) -> None:
    once = Figure(name="run_attempts_most", since=NOW.date(), value=1, unit="次", source="test")
    with matching_on(postgres.url, tmp_path, [once]) as platform:
        workers(platform, 1)
        waiting = triaged(platform)
        id = start(platform)
        kill_half_way(platform)
        assert jobs.turn(platform.bus) == 1
        view = platform.ask(DUTY, m.GetRun(run_id=id))
        assert (view.state, view.ended_reason) == ("failed", "run_interrupted")
        done(platform)
        assert asked(platform, waiting) == "a-w0"


def kill_half_way(platform: Platform) -> None:
    """Kills a process while its solver works; the solver goes with it."""
    process = jobs_processes.started(platform.app.settings, "matching")
    until(lambda: solvers(process.pid))
    (solver,) = solvers(process.pid)
    until(lambda: solver.nice() == apart.NICENESS)  # it has begun
    solver.suspend()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: gone(solver))


def view_digest(platform: Platform, run_id: str) -> str:
    """The SHA-256 of the inputs that a run was computed from."""
    return str(platform.ask(DUTY, m.ReadRunInputs(run_id=run_id)).digest)
