"""Hard cases of a matching run on real PostgreSQL: at size, against others' locks, killed half-way, around people's lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from banyan.contracts import matching as m
from banyan.kernel.policy import Figure
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import store, write
from banyan.runtime.host import jobs
from services.matching import run_files
from services.matching.optimum.certificate import CERTIFICATE, INPUTS
from services.matching.optimum.check import OPTIMAL, check
from tests.flows.matching_platform import Platform, matching_on, taken, triaged, workers
from tests.rules.matching_given import CITY, COUNTY, DUTY, LEAD, NOW, SYSTEM, assess, caller, keep

OTHER_COUNTY = "350205000000"
CITY_DUTY = caller("acc-city", ("duty_officer", CITY))
MANY = 40
WAIT_S = 30.0


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where keys lie."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def platform(postgres: Any, folder: Path) -> Iterator[Platform]:
    """Matching with nobody in it yet."""
    with matching_on(postgres.url, folder) as running:
        yield running


def call_in(platform: Platform, county: str, urgency: int = 0, **other: Any) -> str:
    """A call for help in a county, assessed there."""
    lead = caller(f"acc-lead-{county}", ("station_lead", county))
    id = taken(platform, lead, division=county, **other)
    platform.do(lead, assess(platform.request(id), urgency=urgency))
    platform.settle()
    return id


def computed(platform: Platform, **other: Any) -> str:
    """A run over the county that has its result."""
    id = str(platform.do(DUTY, m.StartRun(division=COUNTY, reason="集中派单", **other))["id"])
    assert jobs.turn(platform.bus) == 1
    return id


def confirmed(platform: Platform, **other: Any) -> str:
    """A run whose offers are to be sent out."""
    id = computed(platform, **other)
    platform.do(DUTY, m.ConfirmRun(run_id=id))
    return id


def state_of(platform: Platform, id: str) -> str:
    """The run's state as its officer sees it."""
    return str(platform.ask(DUTY, m.GetRun(run_id=id)).state)


def until(true: Callable[[], bool]) -> None:
    """Polls; fails after half a minute."""
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def count(platform: Platform, sql: str) -> int:
    """One number."""
    return int(platform.rows(sql)[0][0])


def upgraded(platform: Platform, id: str, folder: Path) -> None:
    """What is kept of a run is of another table of rules and terms, as after an upgrade."""
    with platform.bus.own_db() as db:
        names = run_files.names_of(db, id)
        assert names is not None
        run_files.keep_names(db, id, msgspec.structs.replace(names, table="other", state="other"))
        for name in (INPUTS, CERTIFICATE):
            (folder / name).write_text("another table's")
            run_files.keep(db, id, folder / name)


def test_what_an_earlier_release_counted_is_counted_anew_before_it_is_sent_out(
    platform: Platform, tmp_path: Path
) -> None:
    workers(platform, 1)
    waiting = triaged(platform)
    id = computed(platform)
    upgraded(platform, id, tmp_path)
    with pytest.raises(Refused, match="certificate_unreadable"):
        platform.ask(DUTY, m.ExplainRun(run_id=id, request_id=waiting))
    platform.do(DUTY, m.ConfirmRun(run_id=id))
    assert jobs.turn(platform.bus) == 1
    view = platform.ask(DUTY, m.GetRun(run_id=id))
    assert (view.state, view.summary.renewed, view.summary.repaired) == ("applied", True, False)
    assert platform.ask(DUTY, m.ExplainRun(run_id=id, request_id=waiting)).chosen.worker_id == "a-w0"


SENT = "select count(*) from request where state = 'dispatched'"
WRITTEN = {
    "request_history": "select count(*) from request_history h join request r using (id, version) where h.body = r.body",
    "worker_history": "select count(*) from worker_history h join worker w using (id, version) where h.body = w.body",
    "offers": "select count(*) from outbox o join request r on r.id = o.aggregate_id and r.version = o.aggregate_version"
    f" where o.type = '{m.OfferMade.type_name()}'",
    "loads": f"select count(*) from outbox where type = '{m.WorkerLoadChanged.type_name()}'",
    "notices": "select count(distinct about) from notice where template = 'offer'",
}


def test_many_offers_are_written_as_sets_each_with_all_that_belongs_to_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "A_STATEMENT", 7)  # several sets, and several portions
    monkeypatch.setattr(store, "A_PORTION", 6)
    workers(platform, MANY // 2, weekly_capacity=2)
    for _ in range(MANY):
        triaged(platform)
    id = confirmed(platform)
    before = {name: count(platform, sql) for name, sql in WRITTEN.items()}
    assert jobs.turn(platform.bus) == 1 and state_of(platform, id) == "applied"
    assert count(platform, SENT) == MANY
    after = {name: count(platform, sql) for name, sql in WRITTEN.items()}
    assert after == {
        "request_history": MANY,
        "worker_history": MANY // 2,
        "offers": MANY,
        "loads": MANY // 2,
        "notices": MANY,
    }
    assert before["offers"] == before["loads"] == before["notices"] == 0


def test_a_pair_that_does_not_hold_undoes_the_portions_written_before_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "A_PORTION", 6)
    workers(platform, MANY // 2, weekly_capacity=2)
    waiting = sorted(triaged(platform) for _ in range(MANY))
    id = confirmed(platform)
    summary = platform.ask(DUTY, m.GetRun(run_id=id)).summary
    pairs = [m.Pair(request_id=each, worker_id=f"a-w{n // 2}") for n, each in enumerate(waiting)]
    pairs[-1] = m.Pair(request_id=waiting[-1], worker_id="a-w0")  # who has no place left by then
    rows = "select (select count(*) from request_history), (select count(*) from outbox), (select count(*) from notice)"
    before = platform.rows(rows)
    with pytest.raises(Refused) as refused:
        platform.bus.system(m.ApplyRun(run_id=id, pairs=tuple(pairs), summary=summary), "half-way")
    assert (refused.value.code, refused.value.facts["request_id"]) == ("run_moved_on", waiting[-1])
    assert platform.rows(rows) == before and count(platform, SENT) == 0
    assert jobs.turn(platform.bus) == 1 and count(platform, SENT) == MANY


@pytest.mark.parametrize("ended", [False, True])
def test_nobody_sees_half_of_a_run_and_one_whose_session_ends_half_way_is_sent_out_once(
    platform: Platform, ended: bool
) -> None:
    workers(platform, 10, weekly_capacity=2)
    waiting = [triaged(platform) for _ in range(20)]
    id = confirmed(platform)
    with platform.pool.connection() as other, other.transaction():
        other.execute("select 1 from request where id = %s for update", (waiting[-1],))
        sending = threading.Thread(target=jobs.turn, args=(platform.bus,))
        sending.start()
        blocked = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%%from request%%'"
        until(lambda: bool(platform.rows(blocked)))
        assert count(platform, SENT) == 0 and state_of(platform, id) == "confirmed"
        assert platform.ask(DUTY, m.Requests()).items, "questions are answered meanwhile"
        triaged(platform)  # and so are orders, but on what is being sent out
        with pytest.raises(Refused, match="record_busy"):
            platform.do(LEAD, m.DispatchNext(request_id=min(waiting)), within_s=1)
        if ended:
            platform.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s", *platform.rows(blocked)[0]
            )
            until(lambda: bool(platform.rows(blocked)))
    sending.join()
    if state_of(platform, id) == "confirmed":
        jobs.turn(platform.bus)
    assert state_of(platform, id) == "applied" and count(platform, SENT) == 20
    assert count(platform, "select count(*) from notice where template = 'offer'") == 20


def test_a_worker_is_sent_to_a_crisis_while_a_run_that_asks_them_is_being_sent_out(platform: Platform) -> None:
    workers(platform, 2, weekly_capacity=2)
    for _ in range(3):
        triaged(platform)
    crisis, id = taken(platform, urgency=3), confirmed(platform)
    platform.do(DUTY, m.AcknowledgeCrisis(request_id=crisis))
    with platform.pool.connection() as other, other.transaction():
        other.execute("select 1 from worker where id = 'a-w0' for update")
        sending = threading.Thread(target=jobs.turn, args=(platform.bus,))
        sending.start()
        decided = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%%from worker%%update'"
        until(lambda: bool(platform.rows(decided)))
        platform.do(DUTY, m.AssignCrisis(request_id=crisis, worker_id="a-w1", reason="电话说定，十分钟到"), within_s=5)
    sending.join()
    assert state_of(platform, id) == "applied" and count(platform, SENT) == 3
    loads = "select jsonb_array_length(body->'offered'), jsonb_array_length(body->'accepted') from worker order by id"
    assert platform.rows(loads) == [(2, 0), (1, 1)]


def test_a_floor_lifts_the_worst_county_and_the_run_says_what_it_cost(postgres: Any, folder: Path) -> None:
    floor = Figure(name="run_floor_percent", since=NOW.date(), value=50, unit="%", source="test")
    with matching_on(postgres.url, folder, [floor]) as platform:
        workers(platform, 3, weekly_capacity=1, area=CITY)
        for _ in range(4):
            call_in(platform, COUNTY, 2)
        for urgency in (0, 1):
            call_in(platform, OTHER_COUNTY, urgency)
        id = str(platform.do(CITY_DUTY, m.StartRun(division=CITY, reason="集中派单"))["id"])
        assert jobs.turn(platform.bus) == 1
        summary = platform.ask(CITY_DUTY, m.GetRun(run_id=id)).summary
        (option,) = summary.options
        assert (option.name, option.raised, option.below) == ("floor", (OTHER_COUNTY,), ())
        assert option.served == option.served_plain == 3 and option.points_cost > 0
        assert {s.key: s.served for s in summary.shares if s.kind == "county"} == {COUNTY: 2, OTHER_COUNTY: 1}
        with platform.bus.own_db() as db:
            problem, proof = run_files.proof_of(db, id)
        assert check(problem, proof).status == OPTIMAL == summary.status, "the proof is of what the floor made of it"


@pytest.mark.parametrize("least", [0, 400])
def test_an_offer_out_is_moved_for_a_better_worker_only_where_the_gain_is_the_figure_s(
    postgres: Any, folder: Path, least: int
) -> None:
    figure = Figure(name="offered_points", since=NOW.date(), value=least, unit="分", source="test")
    with matching_on(postgres.url, folder, [figure]) as platform:
        platform.do(SYSTEM, keep(1))
        waiting = triaged(platform)
        platform.do(LEAD, m.DispatchNext(request_id=waiting))
        platform.do(SYSTEM, keep(0))  # a kilometre nearer: 120 points
        id = confirmed(platform, movable=True)
        why = platform.ask(DUTY, m.ExplainRun(run_id=id, request_id=waiting, worker_id="a-w1"))
        assert {term.name: term.points for term in why.asked.terms}["offered"] == least
        assert jobs.turn(platform.bus) == 1
        summary = platform.ask(DUTY, m.GetRun(run_id=id)).summary
        assert (summary.status, summary.moved) == (OPTIMAL, int(least == 0))
        offer = platform.request(waiting).offer
        assert offer is not None and offer.worker_id == ("a-w0" if least == 0 else "a-w1")
        assert platform.told("recalled") == (["acc-w1"] if least == 0 else [])


@pytest.mark.parametrize("movable", [False, True])
def test_an_offer_out_makes_room_for_an_urgent_call_only_where_the_run_may_move_it(
    platform: Platform, movable: bool
) -> None:
    workers(platform, 1, weekly_capacity=1)
    calm = triaged(platform)
    platform.do(LEAD, m.DispatchNext(request_id=calm))
    urgent = call_in(platform, COUNTY, 2)
    id = confirmed(platform, movable=movable)
    assert jobs.turn(platform.bus) == 1
    view = platform.ask(DUTY, m.GetRun(run_id=id))
    assert (view.state, view.movable, view.summary.moved) == ("applied", movable, int(movable))
    states = ("proposed", "dispatched") if movable else ("dispatched", "unmatched")
    assert (platform.request(calm).state, platform.request(urgent).state) == states
    assert platform.told("recalled") == (["acc-w0"] if movable else [])
    if movable:
        assert [o.reason for o in platform.request(calm).offers] == ["集中派单"]
    audit = "select row ->> 'reason' from audit where row ->> 'method' = 'start_run'"
    assert platform.rows(audit) == [("集中派单",)]
