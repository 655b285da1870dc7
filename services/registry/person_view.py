"""One person as an answer: particulars masked or clear, facts of absorbed records united, steps with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any

from banyan.contracts.registry_answers import AliasView, CertificateView, PeriodView, PersonView, StepView
from banyan.kernel import documents
from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db
from services.registry.domain.person import Held, Learning, Period, Person, Step
from services.registry.domain.registration import hours_needed

SAME = ("post", "community_worker", "fields", "languages", "weekly_capacity", "talent_basis", "level", "suspected")
ALSO = (
    "document_kind",
    "document_expires_on",
    "document_warnings",
    "sex",
    "home_division",
    "employer_kind",
    "merged_into",
)


def view_of(
    db: Db,
    person: Person,
    version: int,
    context: Context,
    *,
    clear: Collection[str] = (),
    on: date | None = None,
    known_at: datetime | None = None,
) -> PersonView:
    """The view of a record as it stood; what is opened is noted in the audit trail, masked or not."""
    united = [person, *_absorbed(db, person, on, known_at)]
    return PersonView(
        id=person.id,
        version=version,
        division=person.division,
        state=person.state,
        name=db.open(person, "name") or "",
        birth_date=db.open(person, "birth_date"),
        document=_shown(db, person, "document", clear, documents.masked),
        phone=_shown(db, person, "phone", clear, documents.masked_phone),
        education=db.open(person, "education"),
        certificates=tuple(_certificate(db, one, held) for one in united for held in one.certificates),
        period=_period(united, on or context.today, context),
        absorbed=tuple(
            AliasView(absorbed_id=alias.absorbed_id, since=alias.since) for alias in person.absorbed if not alias.until
        ),
        steps=tuple(_step(db, person, step) for step in person.steps),
        on=on,
        known_at=known_at,
        **{name: getattr(person, name) for name in (*SAME, *ALSO)},
    )


def _absorbed(db: Db, person: Person, on: date | None, known_at: datetime | None) -> list[Person]:
    """The records that are read as one with this one, theirs included."""
    found: list[Person] = []
    for alias in person.absorbed:
        if alias.until is None:
            other = db.as_of(Person, alias.absorbed_id, on or db.context.today, known_at)
            found += [other, *_absorbed(db, other, on, known_at)] if other else []
    return found


def _shown(db: Db, person: Person, field: str, clear: Collection[str], mask: Callable[[str], str]) -> str | None:
    plain = db.open(person, field)
    return plain if plain is None or field in clear else mask(plain)


def _certificate(db: Db, person: Person, held: Held) -> CertificateView:
    number = db.open_value(held.number, person.id, "certificates")
    return CertificateView(level=held.level, number=number, passed_on=held.passed_on)


def _period(united: list[Person], on: date, context: Context) -> PeriodView | None:
    """The period of a day, with the hours that any of the united records was credited within it."""
    periods: list[Period] = [period for one in united for period in one.periods if period.holds(on)]
    if not periods:
        return None
    period = max(periods, key=lambda p: p.until_on)
    learnings: list[Learning] = [item for one in united for item in one.learnings]
    hours = sum(item.hours for item in learnings if period.holds(item.completed_on))
    needed = hours_needed(period.level, context, united[0].division)
    return PeriodView(from_on=period.from_on, until_on=period.until_on, hours=hours, hours_needed=needed)


def _step(db: Db, person: Person, step: Step) -> StepView:
    reason: Any = db.open_value(step.why, person.id, "reason") if step.why else ""
    return StepView(move=step.move, state=step.state, by=step.by, at=step.at, reason=reason)
