"""Cases of workers on call, households and duty rosters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing
from tests.rules.matching_given import (
    COUNTY,
    HERE,
    LEAD,
    NOW,
    PROVINCIAL,
    SYSTEM,
    TOWN,
    VILLAGE,
    World,
    figures,
    household,
    keep,
)


def rules_broken(world: World, worker: Any, request: Any) -> set[str]:
    """Which hard rules keep the two apart."""
    return {b.rule for b in pairing.broken(worker, request, world.context(LEAD))}


@pytest.mark.parametrize(
    ("supply", "request_", "rule"),
    [
        ({"fields": {"welfare": 2}}, {}, "field"),
        ({"registered": False}, {"field": "mental_health"}, "registration"),
        ({"registration_until": dt.date(2026, 3, 1)}, {"field": "mental_health"}, "registration_days"),
        ({"since": dt.date(2026, 3, 3)}, {}, "assignment_days"),
        ({"until": dt.date(2026, 3, 1)}, {}, "assignment_days"),
        ({}, {"languages": ("hakka",)}, "language"),
        ({"sex": "1"}, {"sex_wanted": "2"}, "sex"),
        ({}, {"level_wanted": "senior"}, "level"),
        ({}, {"slots": (20,)}, "times"),
        ({"lon_udeg": 118_400_000}, {}, "distance"),
        ({"area": "350205000000"}, {}, "jurisdiction"),
        ({}, {"excluded_workers": ("a-w0",)}, "no_conflict"),
    ],
)
def test_each_hard_rule_keeps_a_pair_apart(supply: dict[str, Any], request_: dict[str, Any], rule: str) -> None:
    world = World()
    worker = world.do(SYSTEM, keep(0, **supply))
    assert rules_broken(world, worker, world.triaged(**request_)) == {rule}


def test_nothing_keeps_a_fitting_pair_apart() -> None:
    world = World()
    assert rules_broken(world, world.do(SYSTEM, keep(0)), world.triaged()) == set()


def test_cross_area_help_is_allowed_from_the_urgency_that_policy_says() -> None:
    world = World()
    helper = world.do(SYSTEM, keep(0, area="350205000000", cross_area=True))
    assert rules_broken(world, helper, world.triaged(urgency=1)) == {"jurisdiction"}
    assert rules_broken(world, helper, world.triaged(urgency=2)) == set()


def test_a_registration_is_only_needed_where_policy_says_so() -> None:
    world = World()
    worker = world.do(SYSTEM, keep(0, registered=False))
    assert rules_broken(world, worker, world.triaged(field="family")) == set()


def test_the_score_follows_the_figures() -> None:
    world = World()
    worker = world.do(SYSTEM, keep(0))
    request = world.triaged(languages=("minnan",), slots=(0, 3), level_wanted="assistant", earlier_worker="a-w0")
    explained = pairing.explain(worker, request, world.context(LEAD))
    points = {t.code: t.points for t in explained.terms}
    assert points == {"proficiency": 2000, "distance": 3000, "capacity": 1200, "continuity": 1800,
                      "language": 400, "level": 400, "availability": 100}  # fmt: skip
    assert explained.score == sum(points.values())


@pytest.mark.parametrize("supply", [{"fields": {}}, {"weekly_capacity": 0}, {"until": dt.date(2025, 12, 31)}])
def test_an_assignment_that_no_rule_could_use_is_refused(supply: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="bad_supply"):
        World().do(SYSTEM, keep(0, **supply))


def test_an_ended_assignment_can_be_opened_again() -> None:
    world = World()
    worker = world.do(SYSTEM, keep(0))
    world.do(SYSTEM, m.EndWorker(worker_id=worker.id, division=TOWN, reason="合同到期"))
    assert world.do(SYSTEM, m.SuspendWorker(worker_id=worker.id, division=TOWN, reason="暂停")) is None
    world.do(SYSTEM, keep(0, weekly_capacity=5))
    again = world.records[worker.id]
    assert (again.state, again.supply.weekly_capacity) == ("on_call", 5)


def test_an_assignment_that_never_was_confirmed_ends_without_a_word() -> None:
    world = World()
    assert world.do(SYSTEM, m.EndWorker(worker_id="a-none", division=TOWN, reason="未确认")) is None
    assert world.events == []


def test_a_paused_worker_keeps_the_cases_and_the_station_hears_of_them() -> None:
    world = World()
    world.workers(1)
    request = world.accepted()
    world.do(SYSTEM, m.SuspendWorker(worker_id="a-w0", division=TOWN, reason="lapsed"))
    assert world.records["a-w0"].accepted == (request.id,)
    assert [n.to for n in world.notices if n.template == "worker_paused"] == [f"station_lead@{TOWN}"]
    world.do(SYSTEM, keep(0))
    assert world.records["a-w0"].state == "on_call"


def test_every_change_of_load_is_said() -> None:
    world = World()
    world.workers(1)
    world.accepted()
    loads = [(e.offered, e.accepted) for e in world.events if isinstance(e, m.WorkerLoadChanged)]
    assert loads == [(1, 0), (0, 1)]


def test_a_household_has_its_head_among_its_members_once() -> None:
    world = World()
    home = world.do(LEAD, household("p-lin", "p-son", "p-lin"))
    assert home.member_ids == ("p-lin", "p-son")
    moved = m.ChangeHousehold(household_id=home.id, division=VILLAGE, head_id="p-son", member_ids=("p-lin",))
    after = world.do(LEAD, moved)
    assert (after.head_id, after.address.plain, after.subject_id) == ("p-son", "学院路1号", "p-lin")
    assert "学院路" not in repr(world.events)


def test_an_address_goes_with_the_member_whose_key_seals_it() -> None:
    world = World()
    home = world.do(LEAD, household("p-lin", "p-son", point=HERE))
    without = m.ChangeHousehold(household_id=home.id, division=VILLAGE, head_id="p-son", member_ids=())
    after = world.do(LEAD, without)
    assert (after.subject_id, after.address, after.spot, after.point) == ("p-son", None, None, None)
    moved = m.ChangeHousehold(household_id=home.id, division=VILLAGE, head_id="p-son", member_ids=(), address="新村2号")
    assert world.do(LEAD, moved).address.plain == "新村2号"


def test_an_erased_member_leaves_the_household_and_the_last_one_leaves_it_empty() -> None:
    world = World()
    home = world.do(LEAD, household("p-lin", "p-son", point=HERE))
    after = world.do(SYSTEM, m.ForgetMember(household_id=home.id, person_id="p-son"))
    assert (after.member_ids, after.address.plain, after.point is None) == (("p-lin",), "学院路1号", False)
    after = world.do(SYSTEM, m.ForgetMember(household_id=home.id, person_id="p-lin"))
    assert (after.member_ids, after.head_id, after.subject_id) == ((), "", "")
    assert (after.address, after.spot, after.point) == (None, None, None)


def test_a_household_needs_a_head() -> None:
    command = m.RegisterHousehold(division=VILLAGE, head_id="", legal_basis="consent", notice_version="1")
    with pytest.raises(Refused, match="bad_input"):
        World().do(LEAD, command)


def test_a_roster_says_who_is_called_on_a_day_and_in_which_order() -> None:
    world = World()
    day = NOW.date()
    turns = (
        Turn(account="b", since=day, until=day, rank=2),
        Turn(account="a", since=day, until=day + dt.timedelta(days=1), rank=1),
        Turn(account="b", since=day, until=day, rank=3),
    )
    roster = world.do(PROVINCIAL, m.OpenRoster(division=COUNTY, turns=turns))
    assert roster.on_duty(day) == ("a", "b")
    assert roster.on_duty(day + dt.timedelta(days=1)) == ("a",)
    assert roster.on_duty(day + dt.timedelta(days=2)) == ()
    after = world.do(PROVINCIAL, m.SetRoster(roster_id=roster.id, turns=()))
    assert after.on_duty(day) == ()


@pytest.mark.parametrize("turn", [{"account": " "}, {"until": dt.date(2026, 1, 1)}, {"rank": 0}])
def test_a_turn_of_nobody_or_of_no_day_is_refused(turn: dict[str, Any]) -> None:
    given = {"account": "a", "since": NOW.date(), "until": NOW.date()}
    with pytest.raises(Refused, match="bad_turn"):
        World().do(PROVINCIAL, m.OpenRoster(division=COUNTY, turns=(Turn(**{**given, **turn}),)))


def test_every_figure_has_a_unit_a_source_and_no_fraction() -> None:
    for figure in figures().figures():
        assert figure.unit and figure.source
        assert not isinstance(figure.value, float)
