"""Cases of one offer: delivered, answered, declined, expired, recalled; and of a worker who leaves."""

from __future__ import annotations

import datetime as dt

import pytest

from banyan.contracts import matching as m
from banyan.kernel.refusal import Refused
from services.matching.domain.request import Holder
from tests.rules.matching_given import (
    LEAD,
    SYSTEM,
    TOWN,
    World,
    assess,
    by,
    said,
    told,
    worker_caller,
)


# --- the notice
def test_the_worker_s_time_runs_from_delivery_on() -> None:
    world = World()
    world.workers(1)
    request = world.triaged()
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    request = world.do(LEAD, m.DispatchNext(request_id=request.id))
    assert (request.offer.expires_at, request.due) == (None, "deliver")
    world.pass_time(minutes=30)
    request = world.do(SYSTEM, m.ConfirmDelivery(request_id=request.id, worker_id="a-w0", receipt="sms-1"))
    assert request.offer.expires_at == world.now + dt.timedelta(hours=24)
    again = world.do(SYSTEM, m.ConfirmDelivery(request_id=request.id, worker_id="a-w0", receipt="sms-2"))
    assert again.offer.receipt == "sms-1"


def test_an_urgent_offer_lives_two_hours() -> None:
    world = World()
    world.workers(1)
    request = world.offered(urgency=2)
    assert request.offer.expires_at == world.now + dt.timedelta(hours=2)


def test_undelivered_means_the_next_channel_and_at_last_the_duty_person() -> None:
    world = World()
    world.workers(1)
    request = world.triaged()
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    world.do(LEAD, m.DispatchNext(request_id=request.id))
    with pytest.raises(Refused, match="not_due"):
        world.do(SYSTEM, m.FailDelivery(request_id=request.id))
    channels = []
    for _ in range(3):
        world.pass_time(minutes=60)
        request = world.do(SYSTEM, m.FailDelivery(request_id=request.id))
        channels.append(said(world, m.DeliveryFailed).channel)
    assert channels == ["sms", "dingtalk", "duty_person"]
    assert told(world, "tell_worker") == ["acc-lead"]
    assert request.offer.expires_at == world.now + dt.timedelta(hours=24)


# --- answering
def test_the_worker_accepts_and_answers_for_the_case() -> None:
    world = World()
    world.workers(2)
    request = world.offered()
    world.pass_time(minutes=90)
    request = world.do(by(request.offer.worker_id), m.AcceptOffer(request_id=request.id))
    assert (request.state, request.holder) == ("accepted", Holder(worker_id="a-w0"))
    assert said(world, m.OfferAccepted).wait_min == 90
    assert (world.records["a-w0"].offered, world.records["a-w0"].accepted) == ((), (request.id,))


def test_nobody_else_can_answer_an_offer() -> None:
    world = World()
    world.workers(2)
    request = world.offered()
    for stranger in (worker_caller(1), worker_caller(9)):
        with pytest.raises(Refused, match="not_found"):
            world.do(stranger, m.AcceptOffer(request_id=request.id))


def test_a_worker_whose_registration_lapsed_meanwhile_cannot_accept() -> None:
    world = World()
    world.workers(1)
    request = world.offered()
    world.do(SYSTEM, m.SuspendWorker(worker_id="a-w0", division=TOWN, reason="注册失效"))
    with pytest.raises(Refused, match="worker_unfit"):
        world.do(by("a-w0"), m.AcceptOffer(request_id=request.id))
    request = world.do(SYSTEM, m.ExpireOffer(request_id=request.id))
    assert (request.state, world.records["a-w0"].load) == ("proposed", 0)


def test_a_decline_needs_a_reason_and_leads_to_the_next() -> None:
    world = World()
    world.workers(2)
    request = world.offered()
    with pytest.raises(Refused, match="reason_missing"):
        world.do(by("a-w0"), m.DeclineOffer(request_id=request.id, reason=""))
    request = world.do(by("a-w0"), m.DeclineOffer(request_id=request.id, reason="本周外出培训"))
    assert (request.state, world.records["a-w0"].load) == ("proposed", 0)
    request = world.do(LEAD, m.DispatchNext(request_id=request.id))
    assert request.offer.worker_id == "a-w1"
    world.pass_time(hours=1)
    accepted = world.do(by("a-w1"), m.AcceptOffer(request_id=request.id))
    assert [o.answer for o in accepted.offers] == ["declined", "accepted"]
    assert said(world, m.OfferAccepted).declined_before == 1


def test_silence_expires_and_the_last_silence_leads_to_the_duty_officer() -> None:
    world = World()
    world.workers(1)
    request = world.offered()
    assert world.do(SYSTEM, m.ExpireOffer(request_id=request.id)) == request
    world.pass_time(hours=24)
    request = world.do(SYSTEM, m.ExpireOffer(request_id=request.id))
    assert request.state == "proposed"
    request = world.do(SYSTEM, m.DispatchNext(request_id=request.id))
    assert (request.state, request.holder) == ("unmatched", Holder(duty="duty_officer", division=TOWN))


def test_an_offer_can_be_taken_back_before_it_is_answered() -> None:
    world = World()
    world.workers(2)
    request = world.offered()
    request = world.do(LEAD, m.RecallOffer(request_id=request.id, reason="服务对象改期"))
    assert (request.state, request.offers[-1].answer, world.records["a-w0"].load) == ("proposed", "recalled", 0)
    with pytest.raises(Refused, match="no_open_offer"):
        world.do(LEAD, m.RecallOffer(request_id=request.id, reason="再来"))


def test_a_worker_who_leaves_gives_the_case_back_and_a_second_match_begins() -> None:
    world = World()
    world.workers(2)
    request = world.accepted()
    world.do(SYSTEM, m.EndWorker(worker_id="a-w0", division=TOWN, reason="离职"))
    assert said(world, m.WorkerEnded).accepted == (request.id,)
    request = world.do(SYSTEM, m.ReleaseWorker(request_id=request.id, reason="社工离岗"))
    assert (request.state, request.worker_id) == ("triaged", None)
    assert request.holder == Holder(duty="station_lead", division=TOWN)
    request = world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    assert [c.worker_id for c in request.candidates] == ["a-w1"]


def test_our_own_reaction_that_comes_too_late_changes_nothing() -> None:
    world = World()
    world.workers(2)
    request = world.accepted()
    for command in (m.ProposeWorkers, m.DispatchNext, m.ExpireOffer):
        assert world.do(SYSTEM, command(request_id=request.id)) == request
    ended = world.do(LEAD, m.CloseRequest(request_id=request.id, ending="died", reason="已故"))
    assert world.do(SYSTEM, m.ReleaseWorker(request_id=request.id, reason="社工离岗")) == ended


def test_direct_dispatch_is_policy_and_never_for_a_protected_request() -> None:
    world = World(dispatch_mode=["direct"] * 4)
    world.workers(1)
    world.triaged()
    assert said(world, m.RequestTriaged).direct
    guarded = world.taken(confidentiality="protected", protected_kind="violence", separate_consent=True)
    world.do(LEAD, assess(guarded))
    assert not said(world, m.RequestTriaged).direct
