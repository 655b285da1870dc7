"""Cases of one request from its first service on: outcome, follow-up, every way that it ends, who holds it when late."""

from __future__ import annotations

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Measure, Point
from banyan.kernel.refusal import Refused
from services.matching.domain import place
from services.matching.domain.request import Holder
from tests.rules.matching_given import (
    BETTER,
    COUNTY,
    DUTY,
    GOOD,
    LEAD,
    RESIDENT,
    SYSTEM,
    TOWN,
    VILLAGE,
    World,
    by,
    caller,
    said,
    served,
    told,
    worker_caller,
)


# --- serving
def test_outcome_is_measured_at_start_and_at_close_by_the_same_scales() -> None:
    world = World()
    world.workers(1)
    request = world.accepted()
    worker = by("a-w0")
    with pytest.raises(Refused, match="outcome_missing"):
        world.do(worker, m.StartService(request_id=request.id, outcome=()))
    world.do(worker, m.StartService(request_id=request.id, outcome=GOOD))
    other = (Measure(scale="phq9", points=3),)
    with pytest.raises(Refused, match="outcome_missing"):
        world.do(worker, m.CompleteService(request_id=request.id, outcome=other, minutes_served=60))
    request = world.do(worker, m.CompleteService(request_id=request.id, outcome=BETTER, minutes_served=60))
    assert (request.state, request.minutes_served) == ("completed", 60)
    assert said(world, m.ServiceCompleted).change == 25
    assert world.records["a-w0"].load == 0


def test_followed_up_and_well_the_case_ends_with_its_reason() -> None:
    world = World()
    world.workers(1)
    request = served(world)
    ended = world.do(by("a-w0"), m.FollowUp(request_id=request.id, well=True))
    assert (ended.state, ended.ending, ended.ended_by, ended.holder) == ("followed_up", "completed", "acc-w0", None)


def test_followed_up_and_not_well_it_opens_again_and_the_earlier_worker_comes_first() -> None:
    world = World()
    world.workers(2)
    request = served(world)
    request = world.do(by("a-w0"), m.FollowUp(request_id=request.id, well=False, note="又起争执"))
    assert (request.state, request.earlier_workers) == ("triaged", ("a-w0",))
    request = world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    first = request.candidates[0]
    assert first.worker_id == "a-w0"
    assert next(t.points for t in first.terms if t.name == "continuity") == 1800


def test_a_stranger_cannot_start_complete_or_follow_up() -> None:
    world = World()
    world.workers(2)
    request = world.accepted()
    with pytest.raises(Refused, match="not_found"):
        world.do(worker_caller(1), m.StartService(request_id=request.id, outcome=GOOD))


# --- endings
def test_whoever_asked_may_withdraw_and_nobody_else_of_the_public() -> None:
    world = World()
    request = world.taken(RESIDENT, asked_by="self", client_id=None)
    stranger = caller("acc-other", ("resident", VILLAGE), person="p-other")
    with pytest.raises(Refused, match="not_found"):
        world.do(stranger, m.WithdrawRequest(request_id=request.id, reason="无"))
    ended = world.do(RESIDENT, m.WithdrawRequest(request_id=request.id, reason="已自行解决"))
    assert (ended.state, ended.ending, ended.ended_by) == ("closed", "withdrawn", "acc-lin")


def test_a_referral_has_a_receiver_and_a_receipt() -> None:
    world = World()
    request = world.triaged()
    with pytest.raises(Refused, match="receipt_missing"):
        world.do(LEAD, m.ReferRequest(request_id=request.id, to="区医院", receipt="", reason="需住院"))
    ended = world.do(LEAD, m.ReferRequest(request_id=request.id, to="区医院", receipt="R-1", reason="需住院"))
    assert (ended.ending, ended.referred_to, ended.referral_receipt) == ("referred", "区医院", "R-1")


@pytest.mark.parametrize("ending", ["unreachable", "out_of_scope", "moved", "died", "advice_only"])
def test_the_other_endings_have_an_actor_and_a_reason_and_free_the_worker(ending: str) -> None:
    world = World()
    world.workers(1)
    request = world.accepted()
    ended = world.do(LEAD, m.CloseRequest(request_id=request.id, ending=ending, reason="三次上门未遇"))
    assert (ended.state, ended.ending, ended.ended_by, ended.holder) == ("closed", ending, "acc-lead", None)
    assert world.records["a-w0"].load == 0
    assert said(world, m.RequestClosed).ending == ending


def test_an_ending_that_needs_more_is_not_taken_for_a_simple_one() -> None:
    world = World()
    request = world.triaged()
    for ending in ("referred", "duplicate", "withdrawn", "nothing"):
        with pytest.raises(Refused, match="bad_input"):
            world.do(LEAD, m.CloseRequest(request_id=request.id, ending=ending, reason="x"))


def test_a_duplicate_ends_with_the_number_of_the_one_that_goes_on() -> None:
    world = World()
    first, second = world.triaged(), world.triaged()
    with pytest.raises(Refused, match="not_found"):
        world.do(LEAD, m.LinkDuplicate(request_id=second.id, same_as=second.id, reason="同一件事"))
    ended = world.do(LEAD, m.LinkDuplicate(request_id=second.id, same_as=first.id, reason="同一件事"))
    assert (ended.ending, ended.same_as) == ("duplicate", first.id)
    with pytest.raises(Refused, match="wrong_state"):
        world.do(LEAD, m.LinkDuplicate(request_id=first.id, same_as=second.id, reason="同一件事"))


def test_an_open_offer_is_closed_with_its_request_and_the_worker_is_told() -> None:
    world = World()
    world.workers(1)
    request = world.offered()
    ended = world.do(LEAD, m.CloseRequest(request_id=request.id, ending="moved", reason="已迁往外省"))
    assert ended.offers[-1].answer == "closed"
    assert told(world, "closed") == ["acc-w0"]
    assert world.records["a-w0"].load == 0


# --- holders
def test_what_is_not_done_in_time_climbs_tier_by_tier_and_stays_with_the_province() -> None:
    world = World()
    request = world.taken()
    held = []
    with pytest.raises(Refused, match="not_due"):
        world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
    for _ in range(5):
        world.pass_time(hours=72)
        request = world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
        held.append(request.holder.division)
    assert held == ["350203000000", "350200000000", "350000000000", "350000000000", "350000000000"]


def test_a_late_worker_keeps_the_case_and_the_station_is_told() -> None:
    world = World()
    world.workers(1)
    request = world.accepted()
    world.pass_time(days=10)
    request = world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
    assert request.holder == Holder(worker_id="a-w0")
    assert told(world, "overdue") == [f"station_lead@{TOWN}"]


def test_competence_moves_and_the_case_with_it() -> None:
    world = World()
    request = world.triaged()
    request = world.do(DUTY, m.HandOver(request_id=request.id, division=COUNTY, reason="职责划转"))
    assert request.holder == Holder(duty="duty_officer", division=COUNTY)
    assert said(world, m.HolderChanged).holder_division == COUNTY


def test_the_exact_place_is_sealed_and_once_ended_only_a_cell_stands_unsealed() -> None:
    world = World()
    exact = Point(lon_udeg=118_100_123, lat_udeg=24_450_456, source="test")
    request = world.taken(point=exact)
    assert (request.point.lon_udeg, request.point.lat_udeg) == (118_100_000, 24_450_000)
    assert place.opened(request.spot.plain) == exact
    closed = world.do(LEAD, m.CloseRequest(request_id=request.id, ending="moved", reason="搬家"))
    assert place.cell(closed.point) == place.cell(exact)
    assert closed.point.accuracy_m > 500 and place.opened(closed.spot.plain) == exact
