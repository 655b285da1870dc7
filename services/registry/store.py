"""The facts that rules of registry ask for: who has the same document, who looks alike, whether a file is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from banyan.contracts.registry import CorrectPerson, RegisterPerson, StartImport
from banyan.kernel import documents
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, fact
from services.registry.domain import particulars
from services.registry.domain.entry import Twin
from services.registry.domain.person import Person

TWINS = (
    "select p.document_index, coalesce(s.id, p.id), coalesce(s.division, p.division)"
    " from person p left join person s on s.id = p.merged_into where p.document_index = any(%(indexes)s)"
)
ALIKE = (
    "select likeness, array_agg(id order by id) from person"
    " where likeness = any(%(indexes)s) and merged_into is null group by likeness"
)
PARTS = (
    "select digest, array_agg(id order by part) from upload"
    " where digest = any(%(digests)s) and place = body ->> 'by' || ' ' || digest || ' ' || part"
    " and body ->> 'by' = %(by)s group by digest having count(*) = max((body ->> 'parts')::int)"
)


@fact("same_document")
def same_document(db: Db, commands: Sequence[RegisterPerson | CorrectPerson], context: Context) -> list[Twin]:
    """Whose record has the document that each command states; a number that does not hold together is nobody's."""
    words = [_document_word(command) for command in commands]
    indexes = [db.index("document", word) if word else None for word in words]
    rows = db.rows(TWINS, {"indexes": _asked(indexes)}) if _asked(indexes) else []
    found = {index: (id, division) for index, id, division in rows}
    return [found.get(index) for index in indexes]


@fact("lookalikes")
def lookalikes(db: Db, commands: Sequence[RegisterPerson | CorrectPerson], context: Context) -> list[tuple[str, ...]]:
    """Which records share name, birth date and phone with each command."""
    words = [_likeness(db, command) for command in commands]
    indexes = [db.index("birth_date", word) if word else None for word in words]
    rows = db.rows(ALIKE, {"indexes": _asked(indexes)}) if _asked(indexes) else []
    found = {index: tuple(ids) for index, ids in rows}
    return [found.get(index, ()) for index in indexes]


@fact("uploaded")
def uploaded(db: Db, commands: Sequence[StartImport], context: Context) -> list[tuple[str, ...]]:
    """The parts, in order, of each file that the caller has uploaded whole."""
    rows = db.rows(PARTS, {"digests": [command.digest for command in commands], "by": context.actor})
    found = {digest: tuple(ids) for digest, ids in rows}
    return [found.get(command.digest, ()) for command in commands]


def _asked(indexes: Iterable[str | None]) -> list[str]:
    return [index for index in indexes if index]


def _document_word(command: RegisterPerson | CorrectPerson) -> str | None:
    if not command.document_number or not command.document_kind:
        return None
    try:
        checked = documents.check(command.document_kind, command.document_number)
    except Refused:
        return None  # the rule will say what is wrong with it
    return particulars.document_word(command.document_kind, checked.normalised)


def _likeness(db: Db, command: RegisterPerson | CorrectPerson) -> str | None:
    """The word of likeness after the command; for a correction what is not named stays as it is."""
    if isinstance(command, CorrectPerson):
        return _corrected_likeness(db, command)
    try:
        phone = documents.phone(command.phone) if command.phone else None
        checked = documents.check(command.document_kind, command.document_number)
    except Refused:
        return None
    birth_date = command.birth_date or checked.birth_on
    return particulars.likeness(command.name, birth_date, phone) if phone and birth_date else None


def _corrected_likeness(db: Db, command: CorrectPerson) -> str | None:
    """As `_likeness`, from what stands; nobody is shown it, so the audit trail has nothing to note."""
    person = db.record(Person, command.person_id)
    if person is None or not (command.name or command.birth_date or command.phone):
        return None
    try:
        phone = documents.phone(command.phone) if command.phone else _plain(db, person, "phone")
    except Refused:
        return None
    birth_date = command.birth_date or date.fromisoformat(_plain(db, person, "birth_date") or "0001-01-01")
    name = command.name or _plain(db, person, "name") or ""
    return particulars.likeness(name, birth_date, phone) if phone else None


def _plain(db: Db, person: Person, field: str) -> str | None:
    value = getattr(person, field)
    return db.keys.open(person.id, value) if value else None
