"""Figures are dated data with a unit and a source; the most specific division wins; before the first row nothing is guessed."""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from banyan.kernel.divisions import prefix
from banyan.kernel.refusal import Refused

PROVINCE_WIDE = "000000000000"
MEMO_MOST = 10_000  # answers that are remembered: one a figure, a day and an area that has figures of its own


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row: the value of a figure from a day on, in a division and all below it (zeros: everywhere)."""

    name: str
    since: dt.date
    value: Any  # an int, a text, a list or a table of them; never a float
    unit: str
    source: str
    division: str = PROVINCE_WIDE


class Policy:
    """All figures known now. `at` answers the one in force; `version` names the whole set in every decision made with it."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        rows = sorted(figures, key=lambda f: (f.name, f.division, f.since))
        self._rows: dict[str, list[Figure]] = defaultdict(list)
        for row in rows:
            self._rows[row.name].append(row)
        self.version = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()[:12]
        areas = {name: {row.division for row in its} - {PROVINCE_WIDE} for name, its in self._rows.items()}
        self._areas = {name: sorted(its, key=_depth, reverse=True) for name, its in areas.items() if its}
        self._memo: dict[tuple[str, dt.date, str | None], Any] = {}

    def at(self, name: str, on: dt.date, division: str | None = None) -> Any:
        """The value in force on a day in a division; refuses `no_policy_in_force` before the first row."""
        areas = self._areas.get(name)
        memo = (name, on, next((area for area in areas if _covers(area, division)), None) if areas else None)
        if memo not in self._memo:
            if len(self._memo) >= MEMO_MOST:
                self._memo.clear()
            self._memo[memo] = self._find(name, on, division)
        return self._memo[memo]

    def _find(self, name: str, on: dt.date, division: str | None) -> Any:
        fits = [r for r in self._rows.get(name, ()) if r.since <= on and _covers(r.division, division)]
        if not fits:
            raise Refused("no_policy_in_force", figure=name, on=on.isoformat(), division=division or PROVINCE_WIDE)
        return max(fits, key=lambda r: (_depth(r.division), r.since)).value

    def by_area(self, name: str, on: dt.date) -> list[tuple[str, Any]]:
        """The values in force on a day as (what the codes of an area begin with, value), the most specific area first."""
        areas = {row.division for row in self._rows.get(name, ()) if row.since <= on} or {PROVINCE_WIDE}
        found = [("" if area == PROVINCE_WIDE else prefix(area), self.at(name, on, area)) for area in areas]
        return sorted(found, key=lambda each: (-len(each[0]), each[0]))

    def figures(self) -> list[Figure]:
        """Every row, by name, division and day."""
        return [row for rows in self._rows.values() for row in rows]


def _depth(area: str) -> int:
    return len(area.rstrip("0"))


def _covers(area: str, division: str | None) -> bool:
    if area == PROVINCE_WIDE:
        return True
    return division is not None and division.startswith(prefix(area))


def seed_figures(text: str) -> list[Figure]:
    """Reads a service's policy.toml: [[name]] tables of from, value, unit, source and, where it differs, division."""
    found = []
    for name, rows in tomllib.loads(text).items():
        for row in rows:
            found.append(
                Figure(
                    name=name,
                    since=row["from"],
                    value=row["value"],
                    unit=row["unit"],
                    source=row["source"],
                    division=row.get("division", PROVINCE_WIDE),
                )
            )
    return found
