"""Figures 政策数据, working days 工作日 and competence 职责归属: dated rows, each with its deed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from banyan.contracts.identity import (
    CompetenceChanged,
    FiguresSet,
    HandOverDuty,
    LoadWorkdays,
    SetCompetence,
    SetFigures,
    WorkdaysLoaded,
)
from banyan.contracts.identity_shapes import Competence
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.divisions import contains, level
from banyan.kernel.policy import PROVINCE_WIDE, Figure
from banyan.kernel.refusal import Refused
from services.identity.domain.duties import duty
from services.identity.domain.reference import ReferenceChange, change

ONE_DAY = dt.timedelta(days=1)


@decides(SetFigures, on=ReferenceChange, facts=("next_number", "known_figures"))
def set_figures(
    _: None, command: SetFigures, context: Context, *, next_number: int, known_figures: Sequence[Figure]
) -> tuple[Any, ...]:
    """Figures from a day on, in the division that orders them or below; a figure keeps its unit and its kind of value (a number,
    a text, a list or a table) for ever. Names come with releases (`only_new`): one that no rule reads would change nothing."""
    units = {row.name: row.unit for row in known_figures}
    kinds = {row.name: type(row.value) for row in reversed(known_figures)}  # as it was first: a slip can be set right
    for row in command.rows:
        _require_figure(row, command.division)
        if row.name not in units and not command.only_new:
            raise Refused("unknown_figure", figure=row.name, near=get_close_matches(row.name, units))
        if units.setdefault(row.name, row.unit) != row.unit:
            raise Refused("unit_differs", figure=row.name, unit=units[row.name], given=row.unit)
        if kinds.setdefault(row.name, type(row.value)) is not type(row.value):
            detail = f"a value of this figure is {kinds[row.name].__name__}, not {type(row.value).__name__}"
            raise Refused("bad_input", field=f"rows.{row.name}.value", detail=detail)
    known = {_place(row) for row in known_figures} if command.only_new else set()
    rows = tuple(row for row in command.rows if _place(row) not in known)
    if not rows:
        return (None,)
    record = change("figures", command, context, next_number, figures=rows)
    return record, FiguresSet(rows=rows, document=command.document)


def _place(row: Figure) -> tuple[str, str, dt.date]:
    return row.name, row.division, row.since


def _require_figure(row: Figure, division: str) -> None:
    everywhere = row.division == PROVINCE_WIDE
    if not (level(division) == "province" if everywhere else contains(division, row.division)):
        raise Refused("not_found", division=row.division)
    if not (row.name and row.unit and row.source):
        raise Refused("bad_input", field="rows", detail="name, unit and source are needed")
    if _has_float(row.value):
        raise Refused("bad_input", field=f"rows.{row.name}.value", detail="no fractions: use a smaller unit")


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_float, value))
    return isinstance(value, float)


@decides(LoadWorkdays, on=ReferenceChange, facts=("next_number", "known_workdays"))
def load_workdays(
    _: None,
    command: LoadWorkdays,
    context: Context,
    *,
    next_number: int,
    known_workdays: tuple[dt.date, dt.date] | None,
) -> tuple[Any, ...]:
    """The State Council's list for a span of days that joins what is known already, so that no day is guessed."""
    if command.known_until < command.known_from:
        raise Refused("bad_input", field="known_until", detail="before known_from")
    outside = [row.on for row in command.rows if not command.known_from <= row.on <= command.known_until]
    if outside:
        raise Refused("bad_input", field="rows", detail=f"outside the span: {outside[0].isoformat()}")
    if known_workdays is not None:
        first, last = known_workdays
        if command.known_from > last + ONE_DAY or command.known_until < first - ONE_DAY:
            raise Refused("calendar_gap", known_from=first.isoformat(), known_until=last.isoformat())
    span = {"known_from": command.known_from, "known_until": command.known_until}
    record = change("workdays", command, context, next_number, workdays=command.rows, on=command.known_from, **span)
    return record, WorkdaysLoaded(rows=command.rows, **span)


@decides(SetCompetence, on=ReferenceChange, facts=("next_number", "known_competence"))
def set_competence(
    _: None, command: SetCompetence, context: Context, *, next_number: int, known_competence: Sequence[Competence]
) -> tuple[Any, ...]:
    """Who is competent for a duty in a division and below, from a day on."""
    before = competent(known_competence, command.division, command.since)
    return _competence(command, context, next_number, before, command.authority, command.since)


@decides(HandOverDuty, on=ReferenceChange, facts=("next_number", "known_competence"))
def hand_over_duty(
    _: None, command: HandOverDuty, context: Context, *, next_number: int, known_competence: Sequence[Competence]
) -> tuple[Any, ...]:
    """One authority gives a duty to another; open cases move by the event, history keeps who had it when."""
    before = competent(known_competence, command.division, command.on)
    if before is None or before.authority != command.gives:
        raise Refused("not_competent", duty=command.duty, competent=before.authority if before else None)
    if command.takes == command.gives:
        raise Refused("bad_input", field="takes", detail="the same authority")
    return _competence(command, context, next_number, before, command.takes, command.on)


def _competence(
    command: SetCompetence | HandOverDuty,
    context: Context,
    number: int,
    before: Competence | None,
    authority: str,
    since: dt.date,
) -> tuple[Any, ...]:
    row = Competence(
        duty=duty(command.duty).code, division=command.division, authority=authority, name=command.name, since=since
    )
    gave = before.authority if before else None
    record = change("competence", command, context, number, competence=row, on=since)
    return record, CompetenceChanged(competence=row, gave=gave, document=command.document)


def competent(rows: Sequence[Competence], division: str, on: dt.date) -> Competence | None:
    """The row in force on a day: the most specific division that contains this one, then the latest day.

    Of rows that share all three the later one in `rows` counts: it was ordered later."""
    fits = [row for row in rows if row.since <= on and contains(row.division, division)]
    return max(reversed(fits), key=lambda row: (len(row.division.rstrip("0")), row.since), default=None)
