"""Registration 登记: periods of three years, their renewal with hours of learning, reminders, lapse; and leaving."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any

from msgspec.structs import replace

from banyan.contracts.registry import (
    BeginRegistration,
    LapsePerson,
    LearningRecorded,
    PersonLapsed,
    PersonRegistered,
    PersonReinstated,
    PersonReminded,
    PersonRenewed,
    PersonRetired,
    PersonSuspended,
    RecordLearning,
    ReinstatePerson,
    RemindPerson,
    RenewRegistration,
    RetirePerson,
    SuspendPerson,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from services.registry.domain.particulars import require_past
from services.registry.domain.person import (
    NONE,
    PERSON,
    Learning,
    Period,
    Person,
    current_period,
    moved,
    said,
    standing,
)


def months_later(day: date, months: int) -> date:
    """The same day of a later or earlier month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def period_from(person: Person, from_on: date, context: Context) -> Period:
    """A registration period from a day; how long it lasts is the figure in force on that day."""
    months = context.figure("registration_months", on=from_on, division=person.division)
    return Period(level=person.level, from_on=from_on, until_on=months_later(from_on, months) - timedelta(days=1))


def with_period(person: Person, from_on: date | None, context: Context) -> tuple[Person, Period | None]:
    """An approved record with the period that was stated on entry, where it still runs; else as it was."""
    if from_on is None or person.level == NONE or from_on > context.today:
        return person, None
    period = period_from(person, from_on, context)
    if not period.holds(context.today):
        return person, None
    return moved(person, "begin", context, periods=(*person.periods, period), ends_on=period.until_on), period


def hours_needed(level: str, context: Context, division: str) -> int:
    """Hours of continuing education that one period of a level asks for."""
    hours: int = context.figure(f"learning_hours_{level}", division=division)
    return hours


def hours_between(person: Person, from_on: date, until_on: date) -> int:
    """Hours credited for what was completed from a day to a day, both included."""
    return sum(item.hours for item in person.learnings if from_on <= item.completed_on <= until_on)


@decides(BeginRegistration, on=Person, key="person_id")
def begin_registration(person: Person, command: BeginRegistration, context: Context) -> tuple[Any, ...]:
    """Begins a period: the first within a year of passing; later, or after a lapse, with the hours of a period."""
    PERSON.move("begin", standing(person, context).state)
    if person.level == NONE:
        raise Refused("not_certified")
    from_on = require_past("from_on", command.from_on or context.today, context)
    if person.periods or from_on > _first_until(person, context):
        _require_hours(person, _window_start(from_on, context, person.division), from_on, context)
    if person.ends_on and from_on <= person.ends_on:
        raise Refused("period_overlaps", until_on=person.ends_on.isoformat())
    period = period_from(person, from_on, context)
    if not period.holds(context.today):
        raise Refused("period_over", until_on=period.until_on.isoformat())
    periods = (*person.periods, period)
    person = moved(person, "begin", context, periods=periods, ends_on=period.until_on, reminded=())
    dates = {"period_from": period.from_on, "period_until": period.until_on}
    return person, said(PersonRegistered, person, effective_on=from_on, **dates)


def _first_until(person: Person, context: Context) -> date:
    """The last day of a first registration without hours, counted from the passing of the level held."""
    months = context.figure("first_registration_months", division=person.division)
    passed_on = max(held.passed_on for held in person.certificates if held.level == person.level)
    return months_later(passed_on, months)


def _window_start(until_on: date, context: Context, division: str) -> date:
    return months_later(until_on, -context.figure("registration_months", division=division))


def _require_hours(person: Person, from_on: date, until_on: date, context: Context, level: str = "") -> None:
    needed = hours_needed(level or person.level, context, person.division)
    has = hours_between(person, from_on, until_on)
    if has < needed:
        raise Refused("learning_short", hours=has, needed=needed, missing=needed - has)


@decides(RenewRegistration, on=Person, key="person_id")
def renew_registration(person: Person, command: RenewRegistration, context: Context) -> tuple[Any, ...]:
    """Adds a period without a gap, from three months before the end, when the hours of the running period are there."""
    PERSON.move("renew", standing(person, context).state)
    running = current_period(person, context.today)
    if running is None or running is not person.periods[-1]:
        raise Refused("renewal_not_open", ends_on=person.ends_on and person.ends_on.isoformat())
    months = context.figure("renewal_window_months", division=person.division)
    opens_on = months_later(running.until_on + timedelta(days=1), -months)
    if context.today < opens_on:
        raise Refused("renewal_not_open", opens_on=opens_on.isoformat())
    _require_hours(person, running.from_on, context.today, context, running.level)
    period = period_from(person, running.until_on + timedelta(days=1), context)
    periods = (*person.periods, period)
    person = moved(person, "renew", context, periods=periods, ends_on=period.until_on, reminded=())
    return person, said(PersonRenewed, person, period_from=period.from_on, period_until=period.until_on)


@decides(RecordLearning, on=Person, key="person_id")
def record_learning(person: Person, command: RecordLearning, context: Context) -> tuple[Any, ...]:
    """Credits hours once for each evidence; a degree counts its fixed hours once in a life."""
    standing(person, context)
    require_past("completed_on", command.completed_on, context)
    if command.learning not in ("course", "degree"):
        raise Refused("unknown_code", kind="learning", value=command.learning[:40])
    if any(item.evidence == command.evidence for item in person.learnings):
        raise Refused("learning_counted", evidence=command.evidence)
    degree = command.learning == "degree"
    if degree and any(item.learning == "degree" for item in person.learnings):
        raise Refused("degree_counted")
    hours = context.figure("learning_hours_degree", division=person.division) if degree else command.hours
    if hours < 1:
        raise Refused("particular_missing", field="hours")
    item = Learning(
        learning=command.learning, hours=hours, completed_on=command.completed_on, evidence=command.evidence
    )
    person = replace(person, learnings=(*person.learnings, item))
    return person, said(LearningRecorded, person, learning=item.learning, hours=hours)


@decides(RemindPerson, on=Person, key="person_id")
def remind_person(person: Person, command: RemindPerson, context: Context) -> tuple[Any, ...]:
    """Tells a person, once for each date, that the registration ends."""
    standing(person, context)
    ends_on = person.ends_on
    if person.state != "active" or ends_on is None or command.days_left in person.reminded:
        raise Refused("nothing_to_remind")
    if not context.today <= ends_on <= context.today + timedelta(days=command.days_left):
        raise Refused("nothing_to_remind")
    person = replace(person, reminded=(*person.reminded, command.days_left))
    facts = {"ends_on": ends_on.isoformat(), "days_left": str((ends_on - context.today).days)}
    notice = Notice(template="registration_ends", to=person.account or person.id, about=person.id, facts=facts)
    return person, said(PersonReminded, person, days_left=command.days_left), notice


@decides(LapsePerson, on=Person, key="person_id")
def lapse_person(person: Person, command: LapsePerson, context: Context) -> tuple[Any, ...]:
    """Ends a registration whose last day has passed; the certificate stays."""
    lapsed = moved(standing(person, context), "lapse", context)
    if person.ends_on is None or context.today <= person.ends_on:
        raise Refused("still_registered", ends_on=person.ends_on and person.ends_on.isoformat())
    notice = Notice(template="registration_lapsed", to=person.account or person.id, about=person.id)
    return lapsed, said(PersonLapsed, lapsed, effective_on=person.ends_on + timedelta(days=1)), notice


@decides(SuspendPerson, on=Person, key="person_id")
def suspend_person(person: Person, command: SuspendPerson, context: Context) -> tuple[Any, ...]:
    """Takes a person out of service for now, with the reason."""
    person = moved(standing(person, context), "suspend", context, command.reason)
    return person, said(PersonSuspended, person)


@decides(ReinstatePerson, on=Person, key="person_id")
def reinstate_person(person: Person, command: ReinstatePerson, context: Context) -> tuple[Any, ...]:
    """Lifts a suspension; what the person comes back to depends on the registration today."""
    move = "reinstate"
    if person.ends_on is not None:
        move = "reinstate_registered" if current_period(person, context.today) else "reinstate_lapsed"
    person = moved(standing(person, context), move, context, command.reason)
    return person, said(PersonReinstated, person)


@decides(RetirePerson, on=Person, key="person_id")
def retire_person(person: Person, command: RetirePerson, context: Context) -> tuple[Any, ...]:
    """Records that a person left, with the reason; the facts stay."""
    person = moved(standing(person, context), "retire", context, command.reason)
    return person, said(PersonRetired, person)
