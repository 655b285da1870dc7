"""Cases of one request: taken, assessed, proposed, sent, answered, served, followed up; and every way that it ends."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Contact, Guardian, Measure
from banyan.kernel.refusal import Refused
from services.matching.domain.request import REQUEST, Holder
from services.matching.domain.worker import WORKER
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
    assess,
    by,
    caller,
    keep,
    worker_caller,
)


def said(world: World, kind: type) -> Any:
    """The last event of a kind."""
    return next(e for e in reversed(world.events) if isinstance(e, kind))


def told(world: World, template: str) -> list[str]:
    """To whom a notice went."""
    return [n.to for n in world.notices if n.template == template]


# --- taking
def test_a_resident_asks_for_help_without_a_document_and_without_a_phone() -> None:
    world = World()
    contacts = (Contact(relation="self", note="村口小店转告"),)
    request = world.taken(RESIDENT, asked_by="self", client_id=None, contacts=contacts)
    assert (request.state, request.client_id, request.subject_id) == ("submitted", "p-lin", "p-lin")
    assert request.holder == Holder(duty="station_lead", division=TOWN)
    assert told(world, "taken") == [f"station_lead@{TOWN}"]


def test_a_resident_cannot_ask_in_the_name_of_a_stranger_s_id() -> None:
    with pytest.raises(Refused, match="not_found"):
        World().taken(RESIDENT, asked_by="self", client_id="p-other")


def test_a_request_names_nobody_in_its_events_and_notices() -> None:
    world = World()
    world.taken()
    assert "林" not in repr(world.events) + repr(world.notices)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"consent": None}, "consent_missing"),
        ({"confidentiality": "sensitive"}, "separate_consent_missing"),
        ({"confidentiality": "protected", "separate_consent": True}, "protected_kind_missing"),
        ({"legal_basis": "habit"}, "bad_input"),
        ({"notice_version": " "}, "notice_missing"),
        ({"functions": ()}, "bad_input"),
        ({"functions": ("magic",)}, "unknown_code"),
        ({"field": "magic"}, "unknown_code"),
        ({"urgency": 4}, "unknown_code"),
        ({"slots": (21,)}, "bad_input"),
        ({"asked_by": "nobody"}, "bad_input"),
        ({"minor": True, "separate_consent": True}, "guardian_consent_missing"),
    ],
)
def test_what_is_refused_when_taking(other: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        World().taken(**other)
    assert refused.value.code == code


def test_a_minor_is_protected_and_a_suspect_guardian_is_not_asked_but_reported() -> None:
    world = World()
    guardian = Guardian(relation="father", suspect=True)
    request = world.taken(minor=True, guardian=guardian, separate_consent=True)
    assert (request.confidentiality, request.protected_kind) == ("protected", "minor")
    assert request.report.recipient == "公安机关"
    assert request.report.due_at == world.now + dt.timedelta(hours=24)
    with pytest.raises(Refused, match="receipt_missing"):
        world.do(LEAD, m.FileReport(request_id=request.id, receipt=" "))
    filed = world.do(LEAD, m.FileReport(request_id=request.id, receipt="闽公报2026-1"))
    assert filed.report.receipt == "闽公报2026-1"
    with pytest.raises(Refused, match="no_report_due"):
        world.do(LEAD, m.FileReport(request_id=request.id, receipt="again"))


def test_an_overdue_report_is_recalled_to_the_holder_and_the_county_every_day() -> None:
    world = World()
    request = world.taken(minor=True, guardian=Guardian(relation="father", suspect=True), separate_consent=True)
    world.pass_time(hours=25)
    request = world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
    assert set(told(world, "report_overdue")) == {"acc-lead", f"duty_officer@{COUNTY}"}
    assert request.report.due_at == world.now + dt.timedelta(days=1)


# --- assessing
def test_an_officer_who_assesses_answers_for_the_request_by_name() -> None:
    world = World()
    request = world.triaged(urgency=2)
    assert (request.state, request.holder) == ("triaged", Holder(account="acc-lead"))
    assert request.due_at == world.now + dt.timedelta(hours=4)


def test_a_minor_s_request_cannot_be_made_less_than_protected() -> None:
    world = World()
    request = world.taken(minor=True, guardian=Guardian(relation="mother", consent="sha256:2"), separate_consent=True)
    with pytest.raises(Refused, match="minor_is_protected"):
        world.do(LEAD, assess(request, confidentiality="ordinary"))


# --- proposing and sending
def test_candidates_are_kept_with_every_term_of_their_score() -> None:
    world = World()
    world.workers(3)
    request = world.triaged()
    proposed = world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    assert [c.worker_id for c in proposed.candidates] == ["a-w0", "a-w1", "a-w2"]
    assert all(c.score == sum(term.points for term in c.terms) for c in proposed.candidates)
    assert proposed.table and proposed.policy == world.policy.version


def test_nobody_fits_so_the_duty_officer_answers_for_it() -> None:
    world = World()
    request = world.triaged()
    unmatched = world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    assert (unmatched.state, unmatched.holder) == ("unmatched", Holder(duty="duty_officer", division=TOWN))
    assert told(world, "nobody_found") == [f"duty_officer@{TOWN}"]


def test_the_lead_confirms_a_proposed_worker_and_no_other() -> None:
    world = World()
    world.workers(3)
    request = world.triaged()
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    world.do(SYSTEM, keep(2, fields={"welfare": 1}))
    with pytest.raises(Refused, match="worker_unfit"):
        world.do(LEAD, m.ConfirmDispatch(request_id=request.id, worker_id="a-w2"))
    with pytest.raises(Refused, match="not_proposed"):
        world.do(LEAD, m.ConfirmDispatch(request_id=request.id, worker_id="a-w9"))
    request = world.do(LEAD, m.ConfirmDispatch(request_id=request.id, worker_id="a-w1"))
    assert (request.state, request.offer.worker_id, request.offer.rank) == ("dispatched", "a-w1", 2)
    assert world.records["a-w1"].offered == (request.id,)


def test_the_hard_rules_are_asked_again_under_the_lock() -> None:
    world = World()
    world.workers(2)
    request = world.triaged()
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    world.do(SYSTEM, m.SuspendWorker(worker_id="a-w0", division=TOWN, reason="注册失效"))
    request = world.do(LEAD, m.DispatchNext(request_id=request.id))
    assert request.offer.worker_id == "a-w1"


def test_a_full_worker_is_not_asked() -> None:
    world = World()
    world.workers(1, weekly_capacity=1)
    world.accepted()
    assert world.triaged().state == "triaged"
    second = world.triaged()
    assert world.do(LEAD, m.ProposeWorkers(request_id=second.id)).state == "unmatched"


def test_an_override_needs_a_reason_and_is_counted() -> None:
    world = World()
    world.workers(3)
    request = world.triaged()
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    with pytest.raises(Refused, match="reason_missing"):
        world.do(LEAD, m.OverrideDispatch(request_id=request.id, worker_id="a-w2", reason=" "))
    request = world.do(LEAD, m.OverrideDispatch(request_id=request.id, worker_id="a-w2", reason="与其母相熟"))
    assert (request.overrides, request.offer.override_reason) == (1, "与其母相熟")
    assert said(world, m.DispatchOverridden).instead_of == "a-w0"
    assert "相熟" not in repr(world.events)


def test_a_worker_in_conflict_is_never_sent_not_even_by_override() -> None:
    world = World()
    world.workers(1)
    request = world.triaged(excluded_workers=("p-w0",))
    with pytest.raises(Refused, match="worker_unfit"):
        world.do(LEAD, m.OverrideDispatch(request_id=request.id, worker_id="a-w0", reason="别无他人"))


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


def served(world: World, **other: Any) -> Any:
    """A request served to its close."""
    request = world.accepted(**other)
    worker = by(request.worker_id)
    world.do(worker, m.StartService(request_id=request.id, outcome=GOOD))
    return world.do(worker, m.CompleteService(request_id=request.id, outcome=BETTER, minutes_served=60))


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


# --- machines
@pytest.mark.parametrize("machine", [REQUEST, WORKER], ids=lambda m: m.name)
def test_every_state_is_reached_and_none_is_a_dead_end_but_the_declared(machine: Any) -> None:
    assert machine.reachable() == set(machine.states)
    assert machine.dead_ends() <= set(machine.ends)
    moves = {move for move, _ in machine.moves}
    for state in machine.states:
        for move in moves - set(machine.possible(state)):
            with pytest.raises(Refused, match="wrong_state"):
                machine.move(move, state)
