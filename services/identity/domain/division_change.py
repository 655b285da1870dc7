"""Divisions 行政区划: first loads, and later changes with a day, a deed and successors."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from banyan.contracts.identity import ChangeDivision, DivisionsLoaded, LoadDivisions
from banyan.contracts.identity_shapes import ROWS
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.divisions import Division, level
from banyan.kernel.refusal import Refused
from services.identity.domain.reference import ReferenceChange, change

Versions = dict[str, list[Division]]
MAY_DIFFER = {"rename": {"name", "kind"}, "countable": {"countable"}, "reports_to": {"reports_to"}}
SHOWN = 20
"""Codes that a refusal names, at the most."""


@decides(LoadDivisions, on=ReferenceChange, facts=("next_number", "known_divisions"))
def load_divisions(
    _: None, command: LoadDivisions, context: Context, *, next_number: int, known_divisions: Sequence[Division]
) -> tuple[Any, ...]:
    """Takes versions that are not known yet; a known one changes by `ChangeDivision` only, so a seed may run again."""
    known = {(row.code, row.from_on) for row in known_divisions}
    rows = tuple(row for row in command.rows if (row.code, row.from_on) not in known)
    if not rows:
        return (None,)
    _require_whole(rows, known_divisions)
    record = change("divisions", command, context, next_number, divisions=rows)
    return record, DivisionsLoaded(book=command.book, rows=rows, document=command.document)


@decides(ChangeDivision, on=ReferenceChange, facts=("next_number", "known_divisions"))
def change_division(
    _: None, command: ChangeDivision, context: Context, *, next_number: int, known_divisions: Sequence[Division]
) -> tuple[Any, ...]:
    """Closes the old versions the day before and opens the new; the codes of the past stay readable by successors."""
    known = _versions(known_divisions)
    _require_latest(command, known)
    standing = {code: _standing(rows, command.effective_on) for code, rows in known.items()}
    _require_form(command, standing)
    _require_successors(command, standing)
    _require_nothing_left(command, standing)
    rows = (*_closing(command, standing), *command.rows)
    _require_whole(rows, known_divisions)
    record = change("divisions", command, context, next_number, divisions=rows, on=command.effective_on)
    return record, *_events(record, command.effective_on)


def _events(record: ReferenceChange, effective_on: dt.date) -> Iterator[DivisionsLoaded]:
    for start in range(0, len(record.divisions), ROWS):
        chunk = record.divisions[start : start + ROWS]
        yield DivisionsLoaded(book=record.id, rows=chunk, document=record.document, effective_on=effective_on)


def _versions(rows: Iterable[Division]) -> Versions:
    """Every code's versions, a later row replacing the earlier one of the same first day."""
    found: dict[tuple[str, dt.date | None], Division] = {(row.code, row.from_on): row for row in rows}
    versions: Versions = {}
    for row in found.values():
        versions.setdefault(row.code, []).append(row)
    return versions


def _standing(rows: Iterable[Division], effective_on: dt.date) -> Division | None:
    """The version in force on the day before."""
    day_before = effective_on - dt.timedelta(days=1)
    return next((row for row in rows if row.stood(day_before)), None)


def _require_latest(command: ChangeDivision, known: Versions) -> None:
    """Refuses `changed_later` where a division that changes has a version of that day or a later one already."""
    for code in (*(end.code for end in command.ended), *(row.code for row in command.rows)):
        for row in known.get(code, ()):
            if row.from_on is not None and row.from_on >= command.effective_on:
                raise Refused("changed_later", division=code, on=row.from_on.isoformat())


def _require_form(command: ChangeDivision, standing: dict[str, Division | None]) -> None:
    """The new rows begin on the day and are open; what each kind of change may alter."""
    for row in command.rows:
        if row.from_on != command.effective_on or row.until_on is not None or row.successors:
            raise Refused("division_row_wrong", division=row.code, why="days")
    if not (command.rows or command.ended):
        raise Refused("division_row_wrong", why="empty")
    if command.change in MAY_DIFFER:
        _require_only(command, standing, MAY_DIFFER[command.change])
        return
    counts = {len(end.successors) for end in command.ended}
    fits = {
        "recode": bool(counts) and counts == {1},
        "merge": bool(counts) and counts == {1},
        "split": bool(command.rows) and (not counts or max(counts) > 1),
    }
    if not fits[command.change]:
        raise Refused("division_row_wrong", why=command.change)


def _require_only(command: ChangeDivision, standing: dict[str, Division | None], may: set[str]) -> None:
    for row in command.rows:
        old = standing.get(row.code)
        if old is None:
            raise Refused("unknown_division", division=row.code, on=command.effective_on.isoformat())
        fields = (name for name in Division.__struct_fields__ if name not in may | {"from_on", "until_on"})
        wrong = [name for name in fields if getattr(row, name) != getattr(old, name)]
        if wrong or command.ended:
            raise Refused("division_row_wrong", division=row.code, why=command.change, fields=wrong)


def _require_successors(command: ChangeDivision, standing: dict[str, Division | None]) -> None:
    """What ends stood, and what follows it stands from the day on."""
    ended = {end.code for end in command.ended}
    fresh = {row.code for row in command.rows}
    for end in command.ended:
        if standing.get(end.code) is None:
            raise Refused("unknown_division", division=end.code, on=command.effective_on.isoformat())
        for code in end.successors:
            if code not in fresh and (standing.get(code) is None or code in ended):
                raise Refused("unknown_division", division=code, on=command.effective_on.isoformat())
    for row in command.rows:
        if row.parent_code in ended - fresh:
            raise Refused("unknown_division", division=row.parent_code, on=command.effective_on.isoformat())


def _require_nothing_left(command: ChangeDivision, standing: dict[str, Division | None]) -> None:
    """No division stays below one that ends; each ends or moves with it."""
    ended = {end.code for end in command.ended} - {row.code for row in command.rows}
    moved = ended | {row.code for row in command.rows}
    left = sorted(c for c, row in standing.items() if row is not None and row.parent_code in ended and c not in moved)
    if left:
        raise Refused("divisions_left", count=len(left), codes=left[:SHOWN])


def _closing(command: ChangeDivision, standing: dict[str, Division | None]) -> Iterator[Division]:
    successors = {end.code: end.successors for end in command.ended}
    for code in dict.fromkeys([*successors, *(row.code for row in command.rows)]):
        old = standing.get(code)
        if old is not None:
            yield replace(old, until_on=command.effective_on, successors=successors.get(code, ()))


def _require_whole(rows: Sequence[Division], known: Iterable[Division]) -> None:
    """Levels fit codes, parents are known, and no two versions of a code hold on one day."""
    versions = _versions((*known, *rows))
    for row in rows:
        if level(row.code) != row.level:
            raise Refused("malformed_division", division=row.code, level=row.level)
        if row.parent_code not in versions and row.level != "province":
            raise Refused("unknown_division", division=row.parent_code, on=(row.from_on or dt.date.min).isoformat())
        if row.from_on and row.until_on and row.until_on <= row.from_on:
            raise Refused("division_row_wrong", division=row.code, why="days")
    for code in {row.code for row in rows}:
        _require_no_overlap(code, versions[code])


def _require_no_overlap(code: str, versions: list[Division]) -> None:
    ordered = sorted(versions, key=lambda row: row.from_on or dt.date.min)
    for earlier, later in itertools.pairwise(ordered):
        if earlier.until_on is None or later.from_on is None or earlier.until_on > later.from_on:
            raise Refused("division_row_wrong", division=code, why="overlap")
