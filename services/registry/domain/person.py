"""Person 人员: the record, its states, and what every rule about a person begins with."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import replace

from banyan.contracts.registry import PersonEvent
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate
from banyan.kernel.machine import Machine, Move
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused

NONE = "none"
LEVELS = (NONE, "assistant", "intermediate", "senior")
LIVING = ("draft", "submitted", "approved", "active", "lapsed", "suspended")
SERVING = frozenset({"approved", "active"})
E = TypeVar("E", bound=PersonEvent)

PERSON = Machine(
    "person",
    initial="draft",
    moves=[
        Move("submit", "draft", "submitted"),
        Move("return", "submitted", "draft"),
        Move("approve", "submitted", "approved"),
        Move("sample", "approved", "approved"),
        Move("sample", "active", "active"),
        Move("begin", ("approved", "lapsed"), "active"),
        Move("renew", "active", "active"),
        Move("lapse", "active", "lapsed"),
        Move("suspend", ("approved", "active", "lapsed"), "suspended"),
        Move("reinstate", "suspended", "approved"),
        Move("reinstate_registered", "suspended", "active"),
        Move("reinstate_lapsed", "suspended", "lapsed"),
        Move("retire", LIVING, "retired"),
        Move("erase", (*LIVING, "retired"), "erased"),
    ],
    ends=("erased",),
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a record."""


class Step(Part, frozen=True, kw_only=True):
    """One move: which, to what state, by whom, when, and why."""

    move: str
    state: str
    by: str
    at: datetime
    why: Private | None = None


class Held(Part, frozen=True, kw_only=True):
    """A level certificate that was seen or, before approval, stated."""

    level: str
    number: Private
    passed_on: date


class Period(Part, frozen=True, kw_only=True):
    """A registration period, both days included; the hours it needs are those of the level it began with."""

    level: str
    from_on: date
    until_on: date

    def holds(self, on: date) -> bool:
        """Whether a day lies in it."""
        return self.from_on <= on <= self.until_on


class Learning(Part, frozen=True, kw_only=True):
    """Continuing education: a course or a degree, its hours, and the evidence by which it is counted once."""

    learning: str
    hours: int
    completed_on: date
    evidence: str


class Alias(Part, frozen=True, kw_only=True):
    """Another record that was read as one with this one, from `since` until `until`."""

    absorbed_id: str
    since: datetime
    until: datetime | None = None


class Person(Aggregate, frozen=True, kw_only=True):
    """One person, one record. `division` is where the person works, or lives if not working."""

    kind: ClassVar[str] = "person"
    prefix: ClassVar[str] = "p"
    subject: ClassVar[str | None] = "id"

    state: str
    name: Private | None
    sort_key: str  # the surname's pinyin and one letter: coarse on purpose, it is not sealed
    document: Private | None
    document_kind: str = ""
    document_expires_on: date | None = None
    document_warnings: tuple[str, ...] = ()
    sex: str | None = None
    birth_date: Private | None = None
    phone: Private | None = None
    home_division: str | None = None
    education: Private | None = None
    political_status: Private | None = None
    employer_kind: str = NONE
    post: str = ""
    community_worker: bool = False
    fields: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    weekly_capacity: int = 0
    talent_basis: str = NONE
    talent_evidence: str = ""
    level: str = NONE
    certificates: tuple[Held, ...] = ()
    registered_from: date | None = None  # stated on entry; becomes a period when the record is approved
    periods: tuple[Period, ...] = ()
    ends_on: date | None = None  # the last day of the last period
    learnings: tuple[Learning, ...] = ()
    reminded: tuple[int, ...] = ()
    account: str | None = None
    legal_basis: str = ""
    notice_version: str = ""
    suspected: tuple[str, ...] = ()
    merged_into: str | None = None
    absorbed: tuple[Alias, ...] = ()
    wrong: tuple[str, ...] = ()
    statement: Private | None = None
    steps: tuple[Step, ...] = ()


def standing(person: Person, context: Context) -> Person:
    """The record if it stands for itself and the caller may act on it.

    Refuses `merged` with the survivor, `person_erased`, and `not_found` as require_own does."""
    require_own(person, context)
    if person.merged_into is not None:
        raise Refused("merged", survivor_id=person.merged_into)
    if person.state == "erased":
        raise Refused("person_erased", id=person.id)
    return person


def require_own(person: Person, context: Context) -> None:
    """Refuses `not_found` where no office reaches the record and it is not the caller's own."""
    own = person.id == context.caller.person or person.account == context.actor
    if context.own_only and not own:
        raise Refused("not_found")


def moved(person: Person, move: str, context: Context, reason: str = "", **changes: Any) -> Person:
    """The record one move further, with who, when and why. Refuses `wrong_state`."""
    state = PERSON.move(move, person.state)
    why = Private(reason, kind="reason") if reason else None
    step = Step(move=move, state=state, by=context.actor, at=context.now, why=why)
    return replace(person, state=state, steps=(*person.steps, step), **changes)


def said(event: type[E], person: Person, **more: Any) -> E:
    """The event about a record as it is now, with what this kind of event says beside."""
    return event(
        person_id=person.id,
        division=person.division,
        state=person.state,
        level=person.level,
        talent_basis=person.talent_basis,
        employer_kind=person.employer_kind,
        community_worker=person.community_worker,
        fields=person.fields,
        registration_until=person.ends_on,
        **more,
    )


def current_period(person: Person, on: date) -> Period | None:
    """The registration period that a day lies in."""
    return next((period for period in person.periods if period.holds(on)), None)


def registered(person: Person, on: date) -> bool:
    """Whether the person is registered on a day: active, within a period."""
    return person.state == "active" and current_period(person, on) is not None
