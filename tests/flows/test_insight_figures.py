"""insight on a real PostgreSQL: figures as of any day and snapshot equal a slow count; lists agree; replay is equal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from banyan.contracts import insight, matching
from banyan.kernel.context import SHANGHAI
from banyan.kernel.refusal import Refused
from banyan.runtime.events import lag
from services.insight.service import SERVICE
from tests.flows.insight_instance import KNOWN, PROVINCE, TREE, Insight, running_insight
from tests.insight_slowly import Slowly
from tests.insight_world import World

AREAS = (PROVINCE, "350100000000", "350102000000", "350102001000", "350102001001", "350128000000", "350200000000")


@pytest.fixture
def running(database: str) -> Iterator[Insight]:
    with running_insight(database) as instance:
        yield instance


def days(world: World) -> list[dt.date]:
    """Days to ask about: before all, within, and the last."""
    span = (world.today - dt.date(2024, 1, 1)).days
    return [dt.date(2023, 12, 1), *(dt.date(2024, 1, 1) + dt.timedelta(days=span * n // 4) for n in (1, 2, 3, 4))]


def test_people_equal_a_slow_count_on_every_day_in_every_snapshot(running: Insight) -> None:
    running.world.go(250)
    running.take()
    first = running.ask(insight.People(division=PROVINCE)).as_of
    running.world.go(200)
    running.take()
    for as_of in (first, None):
        for on in days(running.world):
            slowly = Slowly(running.world, TREE, KNOWN.policy, on, as_of)
            for area in AREAS:
                answer = running.ask(insight.People(division=area, on=on, as_of=as_of))
                assert answer.figures == {name: len(ids) for name, ids in slowly.people(area).items()}
                assert answer.levels == slowly.levels(area)
                assert answer.villages_served == slowly.villages_served(area)
                for name in ("professional", "registered", "assigned"):
                    assert sum(line.figures[name] for line in answer.below) >= answer.figures[name]


def test_every_list_is_its_figure_page_by_page(running: Insight) -> None:
    running.world.go(400)
    running.take()
    on = days(running.world)[3]
    slowly = Slowly(running.world, TREE, KNOWN.policy, on, None)
    for name, ids in slowly.people(PROVINCE).items():
        seen: list[str] = []
        answer = running.ask(insight.ListPeople(division=PROVINCE, on=on, population=name, limit=7))
        as_of, total = answer.as_of, answer.total
        while True:
            seen += [item.person_id for item in answer.items]
            if answer.next is None:
                break
            running.world.go(5)
            running.take()
            query = insight.ListPeople(
                division=PROVINCE, on=on, population=name, limit=7, next=answer.next, as_of=as_of
            )
            answer = running.ask(query)
        assert seen == sorted(ids) and total == len(seen)


def test_requests_equal_a_slow_count_and_protected_ones_are_only_counted(running: Insight) -> None:
    running.world.go(300)
    running.take()
    first = running.ask(insight.People(division=PROVINCE)).as_of
    running.world.go(150)
    running.take()
    for as_of in (first, None):
        for on in days(running.world):
            slowly = Slowly(running.world, TREE, KNOWN.policy, on, as_of)
            for area in AREAS:
                for since in (None, dt.date(2024, 3, 1)):
                    answer = running.ask(insight.RequestFigures(division=area, on=on, since=since, as_of=as_of))
                    its = slowly.requests(area, since)
                    assert answer.all.figures == slowly.request_figures(its)
                    assert answer.endings == slowly.endings(its)
                    assert waits(answer.all) == slowly.waits(its)
                    for kind in ("urgency", "field", "client_group"):
                        groups = {group.code: group for group in getattr(answer, f"by_{kind}")}
                        for code, group in groups.items():
                            part = [r for r in its if str(getattr(r, kind)) == code]
                            assert (group.figures["taken"], waits(group)) == (len(part), slowly.waits(part))
                        assert sum(group.figures["taken"] for group in groups.values()) == len(its)
            query = insight.ListRequests(division=PROVINCE, on=on, figure="open", as_of=as_of, limit=500)
            listed = running.ask(query)
            still = [r for r in slowly.requests(PROVINCE, None) if r.state != "ended"]
            assert listed.total == len(still) == listed.not_shown + len(listed.items)
            hidden = {r.request_id for r in still} & slowly.ever_protected()
            assert listed.not_shown == len(hidden)
            assert not hidden & {item.request_id for item in listed.items}


def test_who_became_protected_is_no_number_below_the_county_for_the_days_before_either(running: Insight) -> None:
    while len(before := _before_protection(running.world)) < 3:
        running.world.go(100)
    running.take()
    for village, on in before:
        listed = running.ask(insight.ListRequests(division=village, on=on, figure="taken", limit=500))
        assert (listed.total, listed.not_shown) == (len(listed.items), 0)
        county = running.ask(insight.ListRequests(division=f"{village[:6]}000000", on=on, figure="taken", limit=500))
        assert county.not_shown > 0


def test_who_moved_before_being_protected_is_a_number_in_the_county_of_each_time(running: Insight) -> None:
    first, then, county = "350128001001", "350203001001", "350128000000"
    terms = {"request_id": "q-moved", "field": "family", "client_group": "child", "urgency": 1}
    triage = {"confidentiality": "ordinary", "functions": (), "direct": False}
    world = running.world

    def triaged(division: str, protected: bool) -> None:
        world.now += dt.timedelta(days=1)
        event = matching.RequestTriaged(at=world.now, division=division, protected=protected, **terms, **triage)
        world.say(event)
        running.take()

    triaged(first, protected=False)
    on = world.today
    triaged(then, protected=False)
    triaged(f"{then[:6]}000000", protected=True)

    def seen(area: str, on: dt.date) -> tuple[int, int]:
        listed = running.ask(insight.ListRequests(division=area, on=on, figure="taken", limit=500))
        return listed.total, listed.not_shown

    assert (seen(first, on), seen(county, on), seen(f"{then[:6]}000000", on)) == ((0, 0), (1, 1), (0, 0))
    assert (seen(then, on + dt.timedelta(days=1)), seen(county, world.today)) == ((0, 0), (0, 0))
    assert seen(f"{then[:6]}000000", on + dt.timedelta(days=1)) == (1, 1)
    assert seen("350100000000", on) == (0, 0), "Pingtan reports to the province, also as a county"
    assert running.replay().equal


def _before_protection(world: World) -> list[tuple[str, dt.date]]:
    """Village and day of each request that was taken there and became protected on a later day."""
    taken: dict[str, tuple[str, dt.date]] = {}
    found: dict[str, tuple[str, dt.date]] = {}
    for said in world.said["matching.request"]:
        event: Any = said.event
        day = event.at.astimezone(SHANGHAI).date()
        place, on = taken.setdefault(event.request_id, (event.division, day))
        if event.protected and on < day and TREE.exists(place, world.today):
            found[event.request_id] = (place, on)
    return list(found.values())


def waits(group: Any) -> tuple[Any, ...]:
    return (group.waits.count, group.waits.p50, group.waits.p90, group.waits.longest)


def test_loads_equal_a_slow_count(running: Insight) -> None:
    running.world.go(400)
    running.take()
    for on in days(running.world):
        slowly = Slowly(running.world, TREE, KNOWN.policy, on, None)
        for area in AREAS:
            answer = running.ask(insight.Loads(division=area, on=on))
            its = slowly.workers(area)
            assert (answer.workers, answer.places, answer.offered, answer.accepted, answer.idle) == (
                len(its),
                sum(w.weekly_capacity for w in its),
                sum(w.offered for w in its),
                sum(w.accepted for w in its),
                sum(w.offered + w.accepted == 0 for w in its),
            )
            listed = running.ask(insight.ListWorkers(division=area, on=on, limit=500))
            assert listed.total == len(listed.items) == len(its)


def test_a_target_is_frozen_when_its_day_ends_and_trends_meet_the_figures(running: Insight) -> None:
    due = dt.date(2025, 12, 31)
    while running.world.today <= due + dt.timedelta(days=60):
        running.world.go(50)
    running.take()
    world = running.world
    on = world.today
    ended = {
        stream: max((s.position for s in world.said[stream] if s.at.astimezone(dt.UTC) < slow_end(due)), default=0)
        for stream in SERVICE.projections
    }
    then = Slowly(world, TREE, KNOWN.policy, due, ended)
    corrected = Slowly(world, TREE, KNOWN.policy, due, None)
    answer = running.ask(insight.Targets(division=PROVINCE, on=on))
    by_choice = {(item.measure, item.choice): item for item in answer.items}
    assert set(by_choice) == {
        ("professionals", ""),
        ("professionals_per_community", "subdistrict_communities"),
        ("professionals_per_community", "all_communities"),
        ("villages_served", ""),
    }
    assert by_choice["professionals_per_community", "subdistrict_communities"].now.of == 1789
    assert by_choice["professionals_per_community", "all_communities"].now.of == 3089
    counted = by_choice["professionals", ""]
    assert counted.frozen.count == len(then.people(PROVINCE)["professional"])
    assert counted.due_as_known_now.count == len(corrected.people(PROVINCE)["professional"])
    assert counted.state == "missed" and not counted.frozen.met
    for measure in ("professional", "registered", "community_worker", "villages_served"):
        trend = running.ask(insight.Trend(division=PROVINCE, on=on, measure=measure, since=dt.date(2024, 1, 1)))
        for point in trend.points[:: max(1, len(trend.points) // 5)]:
            slowly = Slowly(world, TREE, KNOWN.policy, point.on, None)
            value = slowly.villages_served(PROVINCE) if measure == "villages_served" else None
            assert point.value == (len(slowly.people(PROVINCE)[measure]) if value is None else value), measure


def slow_end(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(16), dt.UTC)  # midnight in Shanghai


def test_a_replay_is_equal_and_heals_a_row_that_was_tampered_with(running: Insight) -> None:
    running.world.go(400)
    running.take()
    before = running.ask(insight.People(division=PROVINCE))
    report = running.replay()
    assert report.equal and report.swapped and report.differences == ()
    assert report.events == sum(len(its) for its in running.world.said.values())
    assert running.ask(insight.People(division=PROVINCE)) == before

    with psycopg.connect(running.pool.conninfo) as connection:
        (one,) = connection.execute(
            "update person set level = 'senior', talent_basis = 'x' where (person_id, from_pos, from_on) ="
            " (select person_id, from_pos, from_on from person order by 1, 2, 3 limit 1) returning person_id"
        ).fetchone()  # type: ignore[misc]
    report = running.replay(swap=False)
    assert not report.equal and not report.swapped
    assert [t.table for t in report.tables if t.differences] == ["person"]
    assert all(one in line for line in report.differences)
    assert not running.replay().equal
    assert running.replay().equal

    running.world.go(100)
    running.take()
    assert running.replay().equal


def test_a_log_that_is_too_short_replaces_nothing(running: Insight) -> None:
    running.world.go(120)
    running.take()
    before = running.ask(insight.People(division=PROVINCE))
    with pytest.raises(Refused) as refused:
        running.replay(lambda stream, after, limit: running.fetch(stream, after, limit)[: max(0, 5 - after)])
    assert refused.value.code == "log_short"
    assert running.ask(insight.People(division=PROVINCE)) == before
    assert running.replay().equal


def test_the_bulletin_hides_and_every_flaw_is_listed(running: Insight) -> None:
    running.world.go(400)
    running.take()
    bulletin = running.ask(insight.Bulletin(division="350100000000"))
    shown = [value for row in bulletin.rows for value in row.figures.values()]
    assert all(value is None or value == 0 or value >= bulletin.threshold for value in shown)
    flaws = running.ask(insight.Flaws(division=PROVINCE, limit=500))
    assert sum(flaws.counts.values()) == len(flaws.items) + flaws.not_shown


def test_an_event_without_effect_in_time_is_said_until_it_has_it(running: Insight) -> None:
    running.world.go(60)
    running.take()
    with running.pool.connection() as connection:
        now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
        stand = running.subscription.positions()
        ahead = {stream: position + (stream == "matching.request") for stream, position in stand.items()}
        lag.note(connection, "projections", ahead, now - dt.timedelta(seconds=500))
        lag.note(connection, "projections", {s: p + 1 for s, p in ahead.items()}, now - dt.timedelta(seconds=400))
    late = [row for row in running.ask(insight.Alerts()).items if row.kind == "events_late"]
    assert [(row.about, row.facts["behind_s"] >= 400) for row in late if row.about == "matching.request"] == [
        ("matching.request", True)
    ]
    with running.pool.connection() as connection:
        connection.execute("update cursor set position = position + 2 where subscription = 'projections'")
    assert not [row for row in running.ask(insight.Alerts()).items if row.kind == "events_late"]
    assert {row.kind for row in running.ask(insight.Alerts()).items} <= {"target_missed", "target_slips"}


def test_nobody_sees_beyond_the_own_area_or_ahead_of_the_snapshot(running: Insight) -> None:
    running.world.go(30)
    running.take()
    with pytest.raises(Refused) as refused:
        running.ask(insight.People(division=PROVINCE), division="350200000000")
    assert refused.value.code == "not_found"
    with pytest.raises(Refused) as refused:
        running.ask(insight.People(division=PROVINCE, as_of={"registry.person": 10**6}))
    assert refused.value.code == "snapshot_ahead"
