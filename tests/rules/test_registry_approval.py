"""Cases: who is counted as what, and who says so."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from banyan.contracts.registry import (
    ApprovePerson,
    CertifyPerson,
    PersonApproved,
    PersonCertified,
    PersonRecognised,
    PersonRegistered,
    PersonReturned,
    PersonSampled,
    RecogniseTalent,
    ReturnPerson,
    SamplePerson,
    SubmitPerson,
)
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from tests.rules.registry_given import (
    approved,
    certificate,
    decide,
    drafted,
    officer,
    registered,
    self_of,
    submitted,
    worker_command,
)


def approve(person, context=None):
    return decide(ApprovePerson(person_id=person.id), context or officer(), person)


def test_approval_makes_a_certified_professional():
    person, approved_event, certified_event = approve(submitted())

    assert (person.state, person.level) == ("approved", "intermediate")
    assert isinstance(approved_event, PersonApproved)
    assert approved_event.talent_basis == "certificate"
    assert isinstance(certified_event, PersonCertified)
    assert certified_event.passed_on == dt.date(2026, 1, 10)


def test_approval_brings_a_stated_registration_into_force_since_its_first_day():
    person, *_, event = approve(submitted(worker_command(registered_from=dt.date(2026, 2, 1))))

    assert person.state == "active"
    assert isinstance(event, PersonRegistered)
    assert (event.period_from, event.period_until) == (dt.date(2026, 2, 1), dt.date(2029, 1, 31))
    assert event.effective_on == dt.date(2026, 2, 1)


def test_a_stated_registration_that_is_over_is_not_revived():
    old = worker_command(certificate=certificate(passed_on=dt.date(2019, 1, 1)), registered_from=dt.date(2020, 1, 1))

    person, *events = approve(submitted(old))

    assert (person.state, person.periods) == ("approved", ())
    assert not any(isinstance(event, PersonRegistered) for event in events)


def test_a_degree_makes_a_professional_without_a_certificate():
    command = worker_command(certificate=None, talent_basis="degree", talent_evidence="学位证 1234")

    person, event = approve(submitted(command))

    assert (event.talent_basis, event.level) == ("degree", "none")
    assert person.state == "approved"


def test_a_community_worker_needs_no_basis_and_is_not_a_professional():
    command = worker_command(certificate=None, talent_basis="none", community_worker=True, employer_kind="community")

    _, event = approve(submitted(command))

    assert (event.community_worker, event.talent_basis, event.level) == (True, "none", "none")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"talent_basis": "none", "certificate": None}, "talent_basis_missing"),
        ({"talent_basis": "certificate", "certificate": None}, "talent_evidence_missing"),
        ({"talent_basis": "trained", "certificate": None, "talent_evidence": " "}, "talent_evidence_missing"),
        ({"document_expires_on": dt.date(2026, 6, 14)}, "document_expired"),
    ],
)
def test_the_county_approves_only_what_it_can_have_seen(changes, code):
    with pytest.raises(Refused, match=code):
        approve(submitted(worker_command(**changes)))


def test_a_document_is_good_on_its_last_day():
    assert approve(submitted(worker_command(document_expires_on=dt.date(2026, 6, 15))))[0].state == "approved"


def test_nobody_is_approved_while_a_duplicate_is_undecided():
    with pytest.raises(Refused, match="duplicate_undecided"):
        approve(replace(submitted(), suspected=("p-1",)))


def test_a_draft_cannot_be_approved_and_the_refusal_says_what_can_be_done():
    with pytest.raises(Refused) as refused:
        approve(drafted())

    assert refused.value.code == "wrong_state"
    assert "submit" in refused.value.facts["possible"]


def test_a_person_submits_the_own_record_but_no_other():
    person, other = drafted(), drafted(context=officer(account="acc-2"))

    assert decide(SubmitPerson(person_id=person.id), self_of(person), person)[0].state == "submitted"
    with pytest.raises(Refused, match="not_found"):
        decide(SubmitPerson(person_id=person.id), self_of(other), person)


def test_a_returned_record_is_a_draft_again_and_its_submitter_hears_of_it():
    person = submitted()

    after, event, notice = decide(ReturnPerson(person_id=person.id, reason="证书照片不清"), officer(), person)

    assert after.state == "draft"
    assert after.steps[-1].why.plain == "证书照片不清"
    assert isinstance(event, PersonReturned)
    assert notice == Notice(template="person_returned", to="acc-officer", about=person.id)


def test_the_city_samples_what_the_county_approved():
    person = approved()
    city = officer("city_registrar", division="350200000000", account="acc-city")
    command = SamplePerson(person_id=person.id, sound=False, reason="证书编号查无")

    after, event, notice = decide(command, city, person)

    assert (after.state, after.steps[-1].move) == ("approved", "sample")
    assert isinstance(event, PersonSampled)
    assert not event.sound
    assert notice.to == "acc-officer"


def test_nobody_samples_the_own_approval():
    with pytest.raises(Refused, match="own_approval"):
        decide(SamplePerson(person_id="p", sound=True, reason="抽查"), officer(), approved())


def test_the_highest_certificate_is_the_level():
    person = approved()

    after, event = decide(CertifyPerson(person_id=person.id, certificate=certificate("senior")), officer(), person)
    again = decide(CertifyPerson(person_id=person.id, certificate=certificate("assistant")), officer(), after)[0]

    assert (after.level, event.level) == ("senior", "senior")
    assert again.level == "senior"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (certificate("intermediate"), "certificate_held"),
        (certificate("master"), "unknown_code"),
        (certificate("senior", passed_on=dt.date(2026, 6, 16)), "date_in_future"),
    ],
)
def test_a_certificate_is_entered_once_and_only_when_passed(given, code):
    with pytest.raises(Refused, match=code):
        decide(CertifyPerson(person_id="p", certificate=given), officer(), approved())


def test_a_certificate_on_a_draft_waits_for_approval_to_count():
    person = drafted(worker_command(certificate=None, talent_basis="none"))

    after, event = decide(CertifyPerson(person_id=person.id, certificate=certificate()), officer(), person)

    assert (after.level, event.level, after.talent_basis) == ("none", "none", "certificate")


def test_a_basis_is_recognised_with_its_evidence():
    person = approved(worker_command(certificate=None, talent_basis="none", community_worker=True))

    after, event = decide(
        RecogniseTalent(person_id=person.id, basis="trained", evidence="培训 2026-3"), officer(), person
    )

    assert (after.talent_basis, event.talent_basis) == ("trained", "trained")
    assert isinstance(event, PersonRecognised)
    with pytest.raises(Refused, match="talent_evidence_missing"):
        decide(RecogniseTalent(person_id=person.id, basis="degree", evidence=""), officer(), person)


def test_a_registered_person_is_all_three():
    person = registered()

    assert (person.talent_basis, person.level, person.state) == ("certificate", "intermediate", "active")
