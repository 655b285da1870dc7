"""Cases of one request until somebody is asked: taken, assessed, proposed, sent; what is refused on the way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Contact, Guardian
from banyan.kernel.refusal import Refused
from services.matching.domain.request import Holder
from tests.rules.matching_given import (
    COUNTY,
    LEAD,
    RESIDENT,
    SYSTEM,
    TOWN,
    World,
    assess,
    keep,
    said,
    told,
)


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
