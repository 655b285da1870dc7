"""Matching on real PostgreSQL: a call for help finds its worker, a crisis climbs, and two at once do one thing."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from banyan.contracts import matching as m
from banyan.contracts import registry
from banyan.kernel.policy import Figure
from banyan.kernel.refusal import Refused
from services.matching import reactions
from services.matching.domain.request import REQUEST, Holder
from tests.flows.matching_platform import Platform, matching_on, on_duty, taken, triaged, workers
from tests.rules.matching_given import (
    BETTER,
    COUNTY,
    DUTY,
    GOOD,
    LEAD,
    PROVINCE,
    SYSTEM,
    TOWN,
    by,
    call_for_help,
    caller,
    keep,
)

STRANGER = caller("acc-stranger", ("resident", PROVINCE), person="p-stranger")


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Iterator[Platform]:
    """A fresh matching for each test."""
    with matching_on(database, tmp_path) as running:
        yield running


def test_a_call_for_help_finds_its_worker_after_a_decline_and_ends_in_service(platform: Platform) -> None:
    workers(platform, 3)
    id = triaged(platform)
    assert [c.worker_id for c in platform.request(id).candidates] == ["a-w0", "a-w1", "a-w2"]
    platform.do(LEAD, m.ConfirmDispatch(request_id=id, worker_id="a-w0"))
    platform.tick(minutes=1)
    assert platform.request(id).offer.delivered_at is not None, "the file channel's receipt started the clock"
    platform.do(by("a-w0"), m.DeclineOffer(request_id=id, reason="外出"))
    platform.do(LEAD, m.DispatchNext(request_id=id))
    platform.tick(minutes=1)
    platform.do(by("a-w1"), m.AcceptOffer(request_id=id))
    platform.do(by("a-w1"), m.StartService(request_id=id, outcome=GOOD))
    platform.do(by("a-w1"), m.CompleteService(request_id=id, outcome=BETTER, minutes_served=90))
    platform.do(by("a-w1"), m.FollowUp(request_id=id, well=True))
    platform.settle()
    request = platform.request(id)
    assert (request.state, [o.answer for o in request.offers]) == ("followed_up", ["declined", "accepted"])
    assert platform.ask(LEAD, m.Endings()).endings == {"completed": 1}
    assert platform.rows("select count(*) from parked") == [(0,)]


def test_direct_dispatch_goes_on_by_itself_until_the_duty_officer(database: str, tmp_path: Path) -> None:
    direct = Figure(name="dispatch_mode", since=dt.date(2022, 1, 1), value=["direct"] * 4, unit="", source="test")
    with matching_on(database, tmp_path, more_figures=[direct]) as platform:
        workers(platform, 2)
        id = triaged(platform)
        assert platform.request(id).offer.worker_id == "a-w0"
        platform.do(by("a-w0"), m.DeclineOffer(request_id=id, reason="外出"))
        platform.settle()
        assert platform.request(id).offer.worker_id == "a-w1"
        platform.tick(minutes=1)
        platform.tick(hours=24)
        assert platform.request(id).state == "unmatched"


def test_silence_expires_by_the_clock_and_nobody_left_means_the_duty_officer(platform: Platform) -> None:
    workers(platform, 1)
    id = triaged(platform)
    platform.do(LEAD, m.DispatchNext(request_id=id))
    platform.tick(minutes=1)
    platform.tick(hours=23)
    assert platform.request(id).state == "dispatched"
    platform.tick(hours=1)
    assert platform.request(id).state == "proposed"
    platform.do(LEAD, m.DispatchNext(request_id=id))
    assert platform.request(id).holder == Holder(duty="duty_officer", division=TOWN)
    platform.tick(days=4)
    assert platform.request(id).holder == Holder(duty="duty_officer", division=COUNTY)


def test_the_answer_to_a_crisis_says_first_whom_to_call(platform: Platform) -> None:
    facts = platform.do(LEAD, call_for_help(urgency=3))["facts"]
    assert facts["call_first"] == ["110", "120", "12356"]
    assert "不能代替" in facts["says"]
    assert platform.do(LEAD, call_for_help(urgency=1))["facts"] == {}


def test_a_crisis_climbs_by_the_clock_and_is_acknowledged_once(platform: Platform) -> None:
    on_duty(platform, TOWN, "acc-t1")
    on_duty(platform, COUNTY, "acc-duty", "acc-k2")
    id = taken(platform, urgency=3)
    assert platform.told("crisis_page") == ["acc-t1"]
    platform.tick(minutes=4)
    assert platform.told("crisis_page") == ["acc-t1"]
    platform.tick(minutes=1)
    assert sorted(platform.told("crisis_page")) == ["acc-duty", "acc-k2", "acc-t1"]
    board = platform.ask(DUTY, m.CrisisBoard())
    assert board.call_first == ("110", "120", "12356")
    assert (board.items[0].rung, board.items[0].acknowledged_by) == (1, None)
    platform.do(DUTY, m.AcknowledgeCrisis(request_id=id))
    platform.tick(minutes=30)
    assert len(platform.told("crisis_page")) == 3


def test_ranking_follows_every_change_and_explains_itself(platform: Platform) -> None:
    workers(platform, 3)
    id = triaged(platform)
    first = platform.ask(LEAD, m.RankWorkers(request_id=id))
    assert [r.worker_id for r in first.items] == ["a-w0", "a-w1", "a-w2"]
    assert all(r.score == sum(t.points for t in r.terms) for r in first.items)
    platform.do(SYSTEM, m.SuspendWorker(worker_id="a-w0", division=TOWN, reason="lapsed"))
    platform.do(SYSTEM, keep(7, fields={"family": 3}))
    second = platform.ask(LEAD, m.RankWorkers(request_id=id, k=2))
    assert [r.worker_id for r in second.items] == ["a-w7", "a-w1"], (
        "800 points more for proficiency, 720 fewer for 6 km"
    )
    assert second.as_of > first.as_of
    assert [b.rule for b in platform.ask(LEAD, m.WhyNot(request_id=id, worker_id="a-w0")).broken] == ["on_call"]
    fits = platform.ask(LEAD, m.WhyNot(request_id=id, worker_id="a-w2"))
    assert fits.fits and fits.rank == 3 and len(fits.ahead) == 2


def test_two_officers_at_once_send_one_worker(platform: Platform) -> None:
    workers(platform, 2)
    id = triaged(platform)
    results: list[str] = []

    def confirm(worker_id: str) -> None:
        try:
            results.append(str(platform.do(LEAD, m.ConfirmDispatch(request_id=id, worker_id=worker_id))["state"]))
        except Refused as refused:
            results.append(refused.code)

    threads = [threading.Thread(target=confirm, args=(w,)) for w in ("a-w0", "a-w1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["dispatched", "wrong_state"]
    loads = platform.rows("select jsonb_array_length(body -> 'offered') from worker order by id")
    assert sorted(loads) == [(0,), (1,)]


def test_the_last_place_of_a_worker_is_given_once(platform: Platform) -> None:
    workers(platform, 1, weekly_capacity=1)
    ids = [triaged(platform), triaged(platform)]
    results: list[str] = []

    def confirm(id: str) -> None:
        try:
            results.append(str(platform.do(LEAD, m.ConfirmDispatch(request_id=id, worker_id="a-w0"))["state"]))
        except Refused as refused:
            results.append(refused.code)

    threads = [threading.Thread(target=confirm, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["dispatched", "worker_unfit"]


def test_a_worker_who_ends_gives_everything_back_by_events(platform: Platform) -> None:
    workers(platform, 2)
    offered, accepted = triaged(platform), triaged(platform)
    for id in (offered, accepted):
        platform.do(LEAD, m.ConfirmDispatch(request_id=id, worker_id="a-w0"))
    platform.do(by("a-w0"), m.AcceptOffer(request_id=accepted))
    platform.do(SYSTEM, m.EndWorker(worker_id="a-w0", division=TOWN, reason="ended"))
    platform.settle()
    assert platform.request(offered).state == "proposed"
    again = platform.request(accepted)
    assert (again.state, [c.worker_id for c in again.candidates]) == ("proposed", ["a-w1"])
    assert platform.rows("select count(*) from parked") == [(0,)]


def test_registry_s_events_become_workers() -> None:
    event = registry.AssignmentOpened(
        assignment_id="a-1",
        person_id="p-1",
        host_kind="station",
        host_id="s-1",
        division=TOWN,
        area=COUNTY,
        longitude_udeg=118_100_000,
        latitude_udeg=24_450_000,
        fields={"family": 2},
        sex="2",
        level="none",
        registered=True,
        weekly_capacity=3,
        since=dt.date(2026, 1, 1),
    )
    (command,) = reactions.keep_opened(event, None)  # type: ignore[arg-type]
    assert (command.worker_id, command.division, command.supply.fields) == ("a-1", TOWN, {"family": 2})
    assert (command.supply.lon_udeg, command.supply.weekly_capacity) == (118_100_000, 3)
    ended = {"assignment_id": "a-1", "person_id": "p-1", "division": TOWN}
    pause, end = (
        next(iter(reactions.end_or_pause(registry.AssignmentEnded(**ended, reason=reason), None)))  # type: ignore[arg-type]
        for reason in ("lapsed", "retired")
    )
    assert (type(pause), type(end)) == (m.SuspendWorker, m.EndWorker)


def test_a_division_has_one_roster(platform: Platform) -> None:
    on_duty(platform, COUNTY, "acc-duty")
    with pytest.raises(Refused, match="roster_exists"):
        on_duty(platform, COUNTY, "acc-k2")


def test_the_schema_itself_keeps_no_request_without_holder_or_reason(platform: Platform) -> None:
    id = taken(platform)
    for change in ('{"holder": null}', '{"due_at": null}', '{"state": "closed"}', '{"state": "lost"}'):
        with pytest.raises(psycopg.errors.CheckViolation):
            platform.rows("update request set body = body || %s::jsonb where id = %s returning 1", change, id)


def test_the_tables_in_the_database_are_those_that_the_code_declares(platform: Platform) -> None:
    from services.matching.tables import METADATA

    sql = "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'"
    there = {name for (name,) in platform.rows(sql)}
    declared = {f"{table.name}.{column.name}" for table in METADATA.tables.values() for column in table.columns}
    assert declared <= there
    states = platform.rows("select pg_get_constraintdef(oid) from pg_constraint where conname = 'request_state'")[0][0]
    assert all(f"'{state}'" in states for state in REQUEST.states)
