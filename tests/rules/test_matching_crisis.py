"""Cases of a crisis: somebody is called at once, the clock climbs, and there is never nobody."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.refusal import Refused
from services.matching.domain.request import Holder, Request
from services.matching.domain.roster import Roster
from tests.rules.matching_given import (
    CITY,
    COUNTY,
    DUTY,
    LEAD,
    PROVINCE,
    PROVINCIAL,
    RESIDENT,
    SYSTEM,
    TOWN,
    World,
    assess,
    caller,
)


def calls(world: World) -> list[str]:
    """Whom the pages went to, in order."""
    return [n.to for n in world.notices if n.template == "crisis_page"]


def climb(world: World, request: Request, **span: Any) -> Request:
    """The clock after a while."""
    world.pass_time(**span)
    return world.do(SYSTEM, m.ClimbCrisis(request_id=request.id))


def test_one_named_person_is_called_in_the_same_moment() -> None:
    world = World()
    world.on_duty(TOWN, "acc-t1", "acc-t2")
    request = world.taken(urgency=3)
    assert calls(world) == ["acc-t1"]
    assert request.holder == Holder(account="acc-t1")
    assert (request.due, request.due_at) == ("crisis", world.now + dt.timedelta(minutes=5))
    assert all(n.urgent for n in world.notices)


def test_help_comes_before_consent() -> None:
    world = World()
    request = world.taken(RESIDENT, urgency=3, consent=None, asked_by="self", client_id=None, legal_basis="emergency")
    assert request.crisis is not None


def test_a_tier_without_a_roster_is_passed_over_at_once() -> None:
    world = World()
    world.on_duty(CITY, "acc-c1")
    request = world.taken(urgency=3)
    assert (calls(world), request.crisis.tier) == (["acc-c1"], CITY)


def test_without_any_roster_the_province_s_duty_officers_are_called_never_nobody() -> None:
    world = World()
    request = world.taken(urgency=3)
    assert calls(world) == [f"duty_officer@{PROVINCE}"]
    assert request.holder == Holder(duty="duty_officer", division=PROVINCE)


def test_unacknowledged_it_climbs_at_5_10_and_20_minutes_with_two_people_and_goes_on_calling() -> None:
    world = World()
    world.on_duty(TOWN, "acc-t1", "acc-t2")
    world.on_duty(COUNTY, "acc-k1", "acc-k2", "acc-k3")
    world.on_duty(CITY, "acc-c1")
    request = world.taken(urgency=3)
    began = world.now
    with pytest.raises(Refused, match="not_due"):
        climb(world, request, minutes=4, seconds=59)
    dues = []
    for minutes in (0.1, 5, 10, 10):
        request = climb(world, request, minutes=minutes)
        dues.append(request.due_at - began)
    assert calls(world)[:4] == ["acc-t1", "acc-k1", "acc-k2", "acc-c1"]
    assert calls(world)[4:] == [f"duty_officer@{PROVINCE}"] * 2
    assert dues[:2] == [dt.timedelta(minutes=10), dt.timedelta(minutes=20)]
    assert request.due_at == world.now + dt.timedelta(minutes=10)
    assert request.crisis.rung == 4


def test_who_acknowledges_answers_for_it_and_the_clock_stops() -> None:
    world = World()
    world.on_duty(COUNTY, "acc-duty")
    request = world.taken(urgency=3)
    world.pass_time(minutes=2)
    request = world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    assert (request.state, request.holder, request.due) == ("triaged", Holder(account="acc-duty"), "climb")
    event = next(e for e in world.events if isinstance(e, m.CrisisAcknowledged))
    assert event.wait_s == 120
    for command in (m.AcknowledgeCrisis(request_id=request.id), m.ClimbCrisis(request_id=request.id)):
        with pytest.raises(Refused, match="no_open_crisis"):
            world.do(SYSTEM if isinstance(command, m.ClimbCrisis) else DUTY, command)


def test_a_crisis_is_not_offered_round_and_a_worker_is_assigned_by_word() -> None:
    world = World()
    world.workers(2)
    world.on_duty(COUNTY, "acc-duty")
    request = world.taken(urgency=3)
    assign = m.AssignCrisis(request_id=request.id, worker_id="a-w1", reason="电话说定，十分钟到")
    with pytest.raises(Refused, match="no_open_crisis"):
        world.do(DUTY, assign)
    world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    for command in (m.ProposeWorkers(request_id=request.id), m.DispatchNext(request_id=request.id)):
        with pytest.raises(Refused, match="crisis_is_no_offer"):
            world.do(DUTY, command)
    request = world.do(DUTY, assign)
    assert (request.state, request.worker_id) == ("accepted", "a-w1")
    assert world.records["a-w1"].accepted == (request.id,)
    assert [n.to for n in world.notices if n.template == "crisis_assigned"] == ["acc-w1"]


def test_a_worker_in_conflict_is_not_assigned_to_a_crisis() -> None:
    world = World()
    world.workers(1)
    request = world.taken(urgency=3, excluded_workers=("a-w0",))
    world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    with pytest.raises(Refused, match="worker_unfit"):
        world.do(DUTY, m.AssignCrisis(request_id=request.id, worker_id="a-w0", reason="最近"))


def test_an_assessment_can_find_a_crisis_and_calls_then() -> None:
    world = World()
    world.on_duty(COUNTY, "acc-duty")
    request = world.taken(urgency=1)
    request = world.do(LEAD, assess(request, urgency=3))
    assert (request.state, request.due, calls(world)) == ("triaged", "crisis", ["acc-duty"])
    request = world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    assert (request.state, request.due) == ("triaged", "climb")


def test_an_assessment_that_finds_no_crisis_takes_it_over_all_the_same() -> None:
    world = World()
    request = world.taken(urgency=3)
    request = world.do(LEAD, assess(request, urgency=2))
    assert (request.crisis.acknowledged_by, request.due) == ("acc-lead", "climb")


def test_an_acknowledged_crisis_that_rests_climbs_like_any_request() -> None:
    world = World()
    world.on_duty(COUNTY, "acc-duty")
    request = world.taken(urgency=3)
    world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    world.pass_time(hours=1)
    request = world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
    assert request.holder == Holder(duty="duty_officer", division=TOWN)


def test_a_protected_crisis_names_its_receivers_and_says_the_county_only() -> None:
    world = World()
    world.on_duty(TOWN, "acc-t1")
    world.on_duty(COUNTY, "acc-duty", "acc-k2")
    request = world.taken(
        RESIDENT, urgency=3, confidentiality="protected", protected_kind="violence", asked_by="neighbour"
    )
    assert request.receivers == ("acc-t1",)
    assert {e.division for e in world.events if isinstance(e, m.OfRequest)} == {COUNTY}
    assert TOWN not in repr([e for e in world.events if isinstance(e, m.OfRequest)])
    with pytest.raises(Refused, match="not_found"):
        world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    request = climb(world, request, minutes=5)
    assert world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id)).holder == Holder(account="acc-duty")


def test_a_protected_crisis_at_the_last_resort_is_open_to_the_province_only() -> None:
    world = World()
    request = world.taken(
        RESIDENT, urgency=3, confidentiality="protected", protected_kind="violence", asked_by="neighbour"
    )
    with pytest.raises(Refused, match="not_found"):
        world.do(DUTY, m.AcknowledgeCrisis(request_id=request.id))
    assert world.do(PROVINCIAL, m.AcknowledgeCrisis(request_id=request.id)).state == "triaged"


def test_an_officer_of_another_place_acknowledges_nothing() -> None:
    world = World()
    request = world.taken(urgency=3)
    elsewhere = caller("acc-far", ("duty_officer", "350100000000"))
    with pytest.raises(Refused, match="not_found"):
        world.do(elsewhere, m.AcknowledgeCrisis(request_id=request.id))


def test_a_roster_says_when_somebody_else_is_on_duty_next() -> None:
    def turn(account: str, since: int, until: int, rank: int = 1) -> Turn:
        return Turn(account=account, since=dt.date(2026, 3, since), until=dt.date(2026, 3, until), rank=rank)

    turns = (turn("a", 1, 5), turn("a", 6, 9), turn("b", 8, 9, rank=2), turn("c", 12, 12))
    roster = Roster(id="r-1", division=COUNTY, turns=turns)
    days = [dt.date(2026, 3, day) for day in (2, 8, 10, 12)]
    assert [roster.next_change(day) for day in days] == [dt.date(2026, 3, day) for day in (8, 10, 12, 13)]
    assert roster.next_change(dt.date(2026, 3, 13)) is None
    assert [roster.on_duty(day) for day in days] == [("a",), ("a", "b"), (), ("c",)]
