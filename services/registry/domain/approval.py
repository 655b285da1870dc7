"""Approval 审核: submitted by who knows the person, approved by the county, sampled by the city; talent and levels."""

from __future__ import annotations

from typing import Any

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
    PersonSubmitted,
    RecogniseTalent,
    ReturnPerson,
    SamplePerson,
    SubmitPerson,
)
from banyan.kernel.codes import CODES
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from services.registry.domain import particulars as given
from services.registry.domain.person import LEVELS, NONE, Held, Person, moved, said, standing
from services.registry.domain.registration import with_period


@decides(SubmitPerson, on=Person, key="person_id")
def submit_person(person: Person, command: SubmitPerson, context: Context) -> tuple[Any, ...]:
    """Hands the record to the county for approval."""
    person = moved(standing(person, context), "submit", context)
    return person, said(PersonSubmitted, person)


@decides(ApprovePerson, on=Person, key="person_id")
def approve_person(person: Person, command: ApprovePerson, context: Context) -> tuple[Any, ...]:
    """A county approves a person whose document and evidence it has seen; what was stated on entry comes into force."""
    person = moved(standing(person, context), "approve", context)
    if person.document_expires_on and person.document_expires_on < context.today:
        raise Refused("document_expired", on=person.document_expires_on.isoformat())
    if person.suspected:
        raise Refused("duplicate_undecided", other_ids=list(person.suspected))
    _require_basis(person)
    person = replace(person, level=_highest(person.certificates))
    events: list[Any] = [said(PersonApproved, person)]
    events += [said(PersonCertified, person, passed_on=held.passed_on) for held in person.certificates]
    person, period = with_period(person, person.registered_from, context)
    if period is not None:
        dates = {"period_from": period.from_on, "period_until": period.until_on}
        events.append(said(PersonRegistered, person, effective_on=period.from_on, **dates))
    return person, *events


def _require_basis(person: Person) -> None:
    """A professional has a basis with its evidence; without one only a community worker is counted, as that."""
    if person.talent_basis == NONE and not person.community_worker:
        raise Refused("talent_basis_missing")
    if person.talent_basis == "certificate" and not person.certificates:
        raise Refused("talent_evidence_missing", basis=person.talent_basis)
    if person.talent_basis in ("degree", "trained") and not person.talent_evidence.strip():
        raise Refused("talent_evidence_missing", basis=person.talent_basis)


def _highest(certificates: tuple[Held, ...]) -> str:
    return max((held.level for held in certificates), key=LEVELS.index, default=NONE)


@decides(ReturnPerson, on=Person, key="person_id")
def return_person(person: Person, command: ReturnPerson, context: Context) -> tuple[Any, ...]:
    """Sends the record back to whoever submitted it, with what is missing."""
    submitter = next((s.by for s in reversed(person.steps) if s.move == "submit"), person.steps[0].by)
    person = moved(standing(person, context), "return", context, command.reason)
    return person, said(PersonReturned, person), Notice(template="person_returned", to=submitter, about=person.id)


@decides(SamplePerson, on=Person, key="person_id")
def sample_person(person: Person, command: SamplePerson, context: Context) -> tuple[Any, ...]:
    """The city looks again at an approved record; the officer who approved it hears what was found unsound."""
    approver = next((s.by for s in reversed(person.steps) if s.move == "approve"), "")
    if approver == context.actor:
        raise Refused("own_approval")
    person = moved(standing(person, context), "sample", context, command.reason)
    event = said(PersonSampled, person, sound=command.sound)
    if command.sound or not approver:
        return person, event
    return person, event, Notice(template="sample_unsound", to=approver, about=person.id)


@decides(RecogniseTalent, on=Person, key="person_id")
def recognise_talent(person: Person, command: RecogniseTalent, context: Context) -> tuple[Any, ...]:
    """States why someone counts as a professional: degree, training in the field, or certificate."""
    basis = CODES["talent_basis"].require(command.basis)
    person = replace(standing(person, context), talent_basis=basis, talent_evidence=command.evidence.strip())
    _require_basis(person)
    return person, said(PersonRecognised, person)


@decides(CertifyPerson, on=Person, key="person_id")
def certify_person(person: Person, command: CertifyPerson, context: Context) -> tuple[Any, ...]:
    """Enters a level certificate that was seen; it never expires, and the highest one is the person's level."""
    held = given.held(command.certificate, context)
    if any(other.level == held.level for other in standing(person, context).certificates):
        raise Refused("certificate_held", level=held.level)
    certificates = (*person.certificates, held)
    seen = person.state not in ("draft", "submitted")
    basis = "certificate" if person.talent_basis == NONE else person.talent_basis
    person = replace(person, certificates=certificates, talent_basis=basis)
    person = replace(person, level=_highest(certificates)) if seen else person
    return person, said(PersonCertified, person, passed_on=held.passed_on)
