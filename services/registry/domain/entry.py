"""Entry 录入与更正: how a person comes into the register, and how what stands there is put right."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec.structs import replace

from banyan.contracts.registry import (
    AskCorrection,
    CorrectionAsked,
    CorrectOwnRecord,
    CorrectPerson,
    DuplicateSuspected,
    PersonCorrected,
    PersonDrafted,
    PersonSubmitted,
    RegisterPerson,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import Notice
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.registry.domain import particulars as given
from services.registry.domain.person import NONE, Person, Step, moved, said, standing

Twin = tuple[str, str] | None  # (id, division) of the record that has the same document
OPEN = ("name", "birth_date", "phone", "document")
PLAIN = ("post", "community_worker", "document_expires_on")
ASKABLE = frozenset({"name", "document", "sex", "birth_date", "division", "education", "level", "certificates"})


@decides(RegisterPerson, on=Person, facts=("same_document", "lookalikes"))
def register_person(
    _: None, command: RegisterPerson, context: Context, *, same_document: Twin, lookalikes: tuple[str, ...]
) -> tuple[Any, ...]:
    """Begins a record. One document is one record; a person who looks like another is put beside it for an officer."""
    refuse_twin(same_document, context)
    person = _drafted(command, context, lookalikes)
    events: list[Any] = [said(PersonDrafted, person)]
    if command.submit:
        person = moved(person, "submit", context)
        events.append(said(PersonSubmitted, person))
    if lookalikes:
        events.append(said(DuplicateSuspected, person, other_ids=lookalikes))
    return person, *events


def refuse_twin(twin: Twin, context: Context) -> None:
    """Refuses `document_taken`; it names the other record to those who may see it."""
    if twin is not None:
        other_id, division = twin
        visible = context.holds(context.may, division)
        raise Refused("document_taken", **({"person_id": other_id} if visible else {}))


def _drafted(command: RegisterPerson, context: Context, lookalikes: tuple[str, ...]) -> Person:
    """The new record, every particular checked."""
    document = given.checked_document(
        command.document_kind,
        command.document_number,
        context,
        birth_date=command.birth_date,
        sex=command.sex,
    )
    birth_date = _required("birth_date", command.birth_date or document.birth_on)
    phone = given.sealed_phone(command.phone) if command.phone else None
    certificate = given.held(command.certificate, context) if command.certificate else None
    return Person(
        id=context.new_id(Person.prefix),
        division=given.resolved(command.division, context),
        state="draft",
        name=given.sealed_name(command.name),
        sort_key=given.sort_key(command.name),
        document=given.sealed_document(command.document_kind, document.normalised),
        document_kind=command.document_kind,
        document_expires_on=command.document_expires_on,
        document_warnings=document.warnings,
        sex=given.coded("sex", _required("sex", command.sex or document.sex)),
        birth_date=given.sealed_birth_date(birth_date, command.name, phone.plain if phone else None),
        phone=phone,
        home_division=given.resolved(command.home_division, context) if command.home_division else None,
        education=given.sealed_code("education", command.education),
        political_status=given.sealed_code("political_status", command.political_status),
        employer_kind=given.coded("employer_kind", command.employer_kind),
        post=command.post,
        community_worker=command.community_worker,
        fields=given.coded_all("field", command.fields),
        languages=given.coded_all("language", command.languages),
        weekly_capacity=given.capacity(command.weekly_capacity, context),
        talent_basis=given.coded("talent_basis", command.talent_basis),
        talent_evidence=command.talent_evidence,
        certificates=(certificate,) if certificate else (),
        registered_from=command.registered_from,
        account=command.account,
        legal_basis=command.legal_basis,
        notice_version=command.notice_version,
        suspected=lookalikes,
        steps=(Step(move="draft", state="draft", by=context.actor, at=context.now),),
    )


def _required(field: str, value: Any) -> Any:
    """A particular that the document does not state must be given. Refuses `particular_missing`."""
    if value is None:
        raise Refused("particular_missing", field=field)
    return value


@decides(CorrectPerson, on=Person, key="person_id", facts=("same_document", "lookalikes"), open=OPEN)
def correct_person(
    person: Person, command: CorrectPerson, context: Context, *, same_document: Twin, lookalikes: tuple[str, ...]
) -> tuple[Any, ...]:
    """Puts particulars right, from a day on if it is named; both versions stay in the history."""
    standing(person, context)
    if same_document is not None and same_document[0] != person.id:
        refuse_twin(same_document, context)
    if command.effective_on:
        given.require_past("effective_on", command.effective_on, context)
    changes = {**_identity_changes(person, command, context), **_other_changes(command, context)}
    changed = tuple(sorted(name for name, value in changes.items() if value != getattr(person, name)))
    if not changed:
        raise Refused("nothing_changed")
    suspected = tuple(dict.fromkeys((*person.suspected, *(i for i in lookalikes if i != person.id))))
    wrong = tuple(name for name in person.wrong if name not in changed)
    before = person.division
    person = replace(
        person, **changes, suspected=suspected, wrong=wrong, steps=(*person.steps, _corrected(person, command, context))
    )
    events: list[Any] = [
        said(PersonCorrected, person, changed=changed, division_before=before, effective_on=command.effective_on)
    ]
    if suspected != () and set(lookalikes) - {person.id}:
        events.append(said(DuplicateSuspected, person, other_ids=suspected))
    return person, *events


def _corrected(person: Person, command: CorrectPerson, context: Context) -> Step:
    why = Private(command.reason, kind="reason")
    return Step(move="correct", state=person.state, by=context.actor, at=context.now, why=why)


def _identity_changes(person: Person, command: CorrectPerson, context: Context) -> dict[str, Any]:
    """What name, document, birth date, sex and phone become; they are checked and sealed together."""
    asked = (command.name, command.document_number, command.sex, command.birth_date, command.phone)
    if all(value is None for value in asked):
        return {}
    if command.document_number and not command.document_kind:
        raise Refused("particular_missing", field="document_kind")
    name = command.name or _plain(person.name)
    stated = command.birth_date or _day(person.birth_date)
    sex = command.sex or person.sex
    kind = command.document_kind or person.document_kind
    document = given.checked_document(
        kind, command.document_number or _plain(person.document), context, birth_date=stated, sex=sex
    )
    phone = given.sealed_phone(command.phone) if command.phone else person.phone
    return {
        "name": given.sealed_name(name),
        "sort_key": given.sort_key(name),
        "document": given.sealed_document(kind, document.normalised),
        "document_kind": kind,
        "document_warnings": document.warnings,
        "sex": given.coded("sex", sex or NONE),
        "birth_date": given.sealed_birth_date(stated, name, phone.plain if phone else None),
        "phone": phone,
    }


def _other_changes(command: CorrectPerson, context: Context) -> dict[str, Any]:
    """What the rest becomes: only what was given."""
    changes: dict[str, Any] = {name: getattr(command, name) for name in PLAIN if getattr(command, name) is not None}
    for name in ("division", "home_division"):
        if (code := getattr(command, name)) is not None:
            changes[name] = given.resolved(code, context)
    for name in ("education", "political_status"):
        if (code := getattr(command, name)) is not None:
            changes[name] = given.sealed_code(name, code)
    if command.employer_kind is not None:
        changes["employer_kind"] = given.coded("employer_kind", command.employer_kind)
    for name, table in (("fields", "field"), ("languages", "language")):
        if (codes := getattr(command, name)) is not None:
            changes[name] = given.coded_all(table, codes)
    if command.weekly_capacity is not None:
        changes["weekly_capacity"] = given.capacity(command.weekly_capacity, context)
    return changes


def _plain(value: Private | None) -> str:
    return (value.plain or "") if value else ""


def _day(value: Private | None) -> date:
    return date.fromisoformat(_plain(value))


@decides(CorrectOwnRecord, on=Person, key="person_id", open=("name", "birth_date", "phone"))
def correct_own_record(person: Person, command: CorrectOwnRecord, context: Context) -> tuple[Any, ...]:
    """A person puts right what nobody else has to approve: phone, languages, weekly capacity."""
    _require_self(standing(person, context), context)
    changes: dict[str, Any] = {}
    if command.phone is not None:
        phone = given.sealed_phone(command.phone)
        changes["phone"] = phone
        changes["birth_date"] = given.sealed_birth_date(_day(person.birth_date), _plain(person.name), phone.plain)
    if command.languages is not None:
        changes["languages"] = given.coded_all("language", command.languages)
    if command.weekly_capacity is not None:
        changes["weekly_capacity"] = given.capacity(command.weekly_capacity, context)
    changed = tuple(sorted(name for name, value in changes.items() if value != getattr(person, name)))
    if not changed:
        raise Refused("nothing_changed")
    person = replace(person, **changes)
    return person, said(PersonCorrected, person, changed=changed, division_before=person.division)


@decides(AskCorrection, on=Person, key="person_id")
def ask_correction(person: Person, command: AskCorrection, context: Context) -> tuple[Any, ...]:
    """A person says that fields are wrong which an officer has to look at; the officer who approved is told."""
    _require_self(standing(person, context), context)
    wrong = tuple(dict.fromkeys(command.wrong))
    if not wrong or not ASKABLE.issuperset(wrong):
        raise Refused("field_not_correctable", possible=sorted(ASKABLE))
    person = replace(person, wrong=wrong, statement=Private(command.reason, kind="statement"))
    officer = next((step.by for step in reversed(person.steps) if step.move == "approve"), person.steps[0].by)
    notice = Notice(template="correction_asked", to=officer, about=person.id, facts={"fields": "、".join(wrong)})
    return person, said(CorrectionAsked, person, wrong=wrong), notice


def _require_self(person: Person, context: Context) -> None:
    """Refuses `not_found` to all but the person, officers included."""
    if person.id != context.caller.person and person.account != context.actor:
        raise Refused("not_found")
