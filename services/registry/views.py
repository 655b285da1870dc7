"""Questions to registry about persons: who sees what, masked or in the clear, sorted as people read."""

from __future__ import annotations

from typing import Any

from banyan.contracts.registry import FindDuplicates, FindPeople, GetOwnCopy, GetPerson, RegisterPerson
from banyan.contracts.registry_answers import Duplicate, Duplicates, OwnCopy, People, PersonLine, PersonView
from banyan.kernel import documents, names
from banyan.kernel.context import Context
from banyan.kernel.divisions import prefix
from banyan.kernel.personal import declared
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.registry import cursors
from services.registry.domain import particulars
from services.registry.domain.person import Person
from services.registry.listings import lines_of_person
from services.registry.person_view import view_of

FOUND = 'select id, version, sort_key from person where {where} order by sort_key collate "C", id limit %(limit)s'
SUSPECTED = (
    "select id, body -> 'suspected' from person where jsonb_array_length(body -> 'suspected') > 0"
    " and merged_into is null and id > %(after)s and {jurisdiction} order by id limit %(limit)s"
)
THEN = (
    "select version from person_history where id = %(id)s and effective_on <= %(on)s and known_at <= %(known_at)s"
    " order by version desc limit 1"
)


@answers(GetPerson)
def get_person(query: GetPerson, context: Context, db: Db) -> PersonView:
    """One person, now or as of a day, as known at an instant; records absorbed into it are read with it."""
    person = db.require(Person, query.person_id)
    on, known_at = query.on or context.today, query.known_at or context.now
    versions = db.rows(THEN, {"id": person.id, "on": on, "known_at": known_at})
    then = db.as_of(Person, person.id, on, known_at)
    if then is None:
        raise Refused("not_found", id=person.id)
    return view_of(db, then, versions[0][0], context, clear=query.clear, on=query.on, known_at=query.known_at)


@answers(FindPeople)
def find_people(query: FindPeople, context: Context, db: Db) -> People:
    """A page of persons by the pinyin of their names, within what the caller may see."""
    where, asked = _conditions(query, db)
    rows = db.rows(FOUND.format(where=where), {**asked, "limit": query.limit + 1})
    page = rows[: query.limit]
    records = {
        person.id: person for person in db.records(Person, "id = any(%(ids)s)", {"ids": [row[0] for row in page]})
    }
    lines = [(sort_key, _line(db, records[id], version)) for id, version, sort_key in page]
    lines.sort(key=lambda keyed: (keyed[0], names.sort_key(keyed[1].name), keyed[1].id))
    more = len(rows) > query.limit
    return People(
        items=tuple(line for _, line in lines), next=cursors.closed(page[-1][2], page[-1][0]) if more else None
    )


def _conditions(query: FindPeople, db: Db) -> tuple[str, dict[str, Any]]:
    """The SQL condition of a search and its parameters."""
    parts = ["state <> 'erased'", "merged_into is null", db.jurisdiction()]
    asked: dict[str, Any] = {}
    if query.name:
        parts.append("body -> 'name' -> 'i' ?| %(name)s")
        asked["name"] = [db.index("name", word) for word in particulars.asked_words(query.name)]
    if query.last4:
        parts.append("(body -> 'phone' -> 'i' ? %(phone)s or body -> 'document' -> 'i' ? %(document)s)")
        word = particulars.last4_word(query.last4)
        asked |= {"phone": db.index("phone", word), "document": db.index("document", word)}
    if query.division:
        parts.append("division like %(division)s")
        asked["division"] = f"{prefix(query.division)}%"
    for name in ("state", "level"):
        if (value := getattr(query, name)) is not None:
            parts.append(f"{name} = %({name})s")
            asked[name] = value
    if query.next:
        parts.append('(sort_key collate "C", id) > (%(after_key)s, %(after_id)s)')
        asked["after_key"], asked["after_id"] = cursors.opened(query.next, 2)
    return " and ".join(parts), asked


def _line(db: Db, person: Person, version: int) -> PersonLine:
    phone = db.open(person, "phone")
    return PersonLine(
        id=person.id,
        version=version,
        division=person.division,
        state=person.state,
        name=db.open(person, "name") or "",
        phone=documents.masked_phone(phone) if phone else None,
        level=person.level,
        talent_basis=person.talent_basis,
        registration_until=person.ends_on,
    )


@answers(FindDuplicates)
def find_duplicates(query: FindDuplicates, context: Context, db: Db) -> Duplicates:
    """Suspicions side by side; a record outside the caller's reach is left out of a pair."""
    asked = {"after": cursors.opened(query.next)[0], "limit": query.limit + 1}
    rows = db.rows(SUSPECTED.format(jurisdiction=db.jurisdiction()), asked)
    pairs = [
        Duplicate(newer=_side(db, id, context), older=_side(db, other, context))
        for id, suspected in rows[: query.limit]
        for other in suspected
        if _visible(db, other)
    ]
    more = len(rows) > query.limit
    return Duplicates(items=tuple(pairs), next=cursors.closed(rows[query.limit - 1][0]) if more else None)


def _visible(db: Db, id: str) -> bool:
    other = db.record(Person, id)
    return other is not None and db.visible(other)


def _side(db: Db, id: str, context: Context) -> PersonView:
    found = db.versioned(Person, id)
    assert found is not None, "a suspicion names records that stand"
    return view_of(db, *found, context)


@answers(GetOwnCopy)
def get_own_copy(query: GetOwnCopy, context: Context, db: Db) -> OwnCopy:
    """Everything about the caller, in the clear, with why each datum is kept and for how long."""
    own = "(id = %(person)s or account = %(account)s) and state <> 'erased'"
    found = db.records(Person, own, {"person": context.caller.person, "account": context.actor})
    if not found:
        raise Refused("not_found")
    person, version = db.versioned(Person, found[0].id) or (found[0], 0)
    kept = declared(RegisterPerson)
    return OwnCopy(
        person=view_of(db, person, version, context, clear=("document", "phone")),
        political_status=db.open(person, "political_status"),
        legal_basis=person.legal_basis,
        notice_version=person.notice_version,
        purposes={name: why.purpose for name, why in kept.items()},
        retention_days={name: why.retention_days for name, why in kept.items()},
        assignments=lines_of_person(db, person.id),
    )
