"""Targets 目标: goal, population, denominator and due day as dated policy rows; met or missed, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from banyan.kernel.policy import Figure, Policy
from banyan.kernel.refusal import Refused

PREFIX = "target_"
COUNT, AVERAGE, SHARE = "professionals", "professionals_per_community", "villages_served"
MEASURES = (COUNT, AVERAGE, SHARE)
NOT_DUE, MET, MISSED = "not_due", "met", "missed"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One target of one plan. `goal` counts persons, persons for each community, or villages per thousand."""

    name: str
    title: str
    measure: str
    goal: int
    due_on: date
    plan: str
    division: str
    since: date
    source: str
    choices: tuple[str, ...] = ()


def targets(policy: Policy) -> tuple[Target, ...]:
    """Every target row, by due day and name; the next plan's targets are new rows beside the old ones."""
    rows = [_target(row) for row in policy.figures() if row.name.startswith(PREFIX)]
    return tuple(sorted(rows, key=lambda target: (target.due_on, target.name)))


def _target(row: Figure) -> Target:
    value: Mapping[str, Any] = row.value
    if value["measure"] not in MEASURES:
        raise Refused("unknown_code", kind="target_measure", value=str(value["measure"])[:40])
    return Target(
        name=row.name,
        title=value["title"],
        measure=value["measure"],
        goal=value["goal"],
        due_on=date.fromisoformat(str(value["due"])),
        plan=value["plan"],
        choices=tuple(value.get("choices", ())),
        division=row.division,
        since=row.since,
        source=row.source,
    )


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A value as whole numbers: `count` of `of`. `per_thousand` is rounded down; None where nothing is divided by."""

    count: int
    of: int

    @property
    def per_thousand(self) -> int | None:
        """count / of × 1,000, rounded down."""
        return self.count * 1000 // self.of if self.of else None


def needed(target: Target, of: int) -> int:
    """The count that meets the goal: for a share rounded up, since nearly all villages are not all."""
    if target.measure == SHARE:
        return -(-target.goal * of // 1000)
    return target.goal * of if target.measure == AVERAGE else target.goal


def meets(target: Target, reading: Reading) -> bool:
    """Whether a reading meets the goal; a target with nothing to divide by is not met."""
    return (reading.of > 0 or target.measure == COUNT) and reading.count >= needed(target, reading.of)


def standing_since(changes: Iterable[tuple[date, int]], threshold: int, on: date) -> tuple[bool, date | None]:
    """Whether the running sum reaches the threshold at the end of a day, and the day since which that answer holds.

    `changes` are (day, difference); None as the day means that it was never otherwise."""
    by_day: dict[date, int] = {}
    for day, difference in changes:
        if day <= on:
            by_day[day] = by_day.get(day, 0) + difference
    total, reached, since = 0, threshold <= 0, None
    for day in sorted(by_day):
        total += by_day[day]
        if (total >= threshold) != reached:
            reached, since = not reached, day
    return reached, since


def expected(then: int, now: int, window_days: int, days_left: int) -> int:
    """The count on the due day if it goes on as in the last window; whole numbers, rounded down."""
    return now + (now - then) * max(days_left, 0) // window_days


def stretches(spans: Iterable[tuple[str, date, date | None]]) -> list[tuple[str, date, date | None]]:
    """Spans of the same key joined where they overlap or touch: (key, first day, day after the last or None)."""
    joined: list[tuple[str, date, date | None]] = []
    for key, start, stop in sorted(spans, key=lambda span: (span[0], span[1])):
        if stop is not None and stop <= start:
            continue
        last = joined[-1] if joined else None
        if last is None or last[0] != key or (last[2] is not None and last[2] < start):
            joined.append((key, start, stop))
        else:
            end = None if last[2] is None or stop is None else max(last[2], stop)
            joined[-1] = (key, last[1], end)
    return joined


def served_changes(
    spans: Iterable[tuple[str, date, date | None]], villages: Mapping[str, Iterable[str]]
) -> list[tuple[date, int]]:
    """Changes of how many villages are served: `villages` says which lie in each area that is covered by a span."""
    by_village = [
        (village, start, stop) for area, start, stop in stretches(spans) for village in villages.get(area, ())
    ]
    changes: list[tuple[date, int]] = []
    for _, start, stop in stretches(by_village):
        changes.append((start, 1))
        if stop is not None:
            changes.append((stop, -1))
    return changes


def day_after(day: date) -> date:
    """The first day on which a span with an included last day holds no more."""
    return day + timedelta(days=1)
