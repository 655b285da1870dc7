"""Divisions 行政区划: 12-digit statistical codes, the dated tree above them, and the one function of jurisdiction.

A code is province 2, city 2, county 2, town 3, village 3 digits; its level follows from the trailing zeros. Containment
by prefix needs no data. What moves with time (merges, new codes, `reports_to`, what counts) is dated data in a `Tree`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from functools import lru_cache

import msgspec

from banyan.kernel.refusal import Refused

LEVELS = ("province", "city", "county", "town", "village")
_LENGTHS = {"province": 2, "city": 4, "county": 6, "town": 9, "village": 12}
_STARTS = {"province": 0, "city": 2, "county": 4, "town": 6, "village": 9}
_DIGITS = 12
LINES_MOST = 50_000  # lines of authority that a tree remembers
UNCOUNTED_COUNTIES = frozenset({"350527000000"})
"""Jinmen 金门 stands in the table without towns and counts nowhere."""


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """One division as it stood from `from_on` until the day before `until_on`; a code may have several versions."""

    code: str
    parent_code: str
    level: str
    name: str
    countable: bool
    kind: str
    from_on: date | None = None
    until_on: date | None = None
    successors: tuple[str, ...] = ()
    reports_to: str = ""

    def stood(self, on: date) -> bool:
        """Whether this version is in force on a day; no `from_on` means since before the records begin."""
        return (self.from_on is None or self.from_on <= on) and (self.until_on is None or on < self.until_on)


@lru_cache(1 << 15)
def level(code: str) -> str:
    """The level of a code: its deepest part that is not zero. Refuses `malformed_division` if not 12 digits."""
    if not (isinstance(code, str) and len(code) == _DIGITS and code.isascii() and code.isdigit() and code[:2] != "00"):
        raise Refused("malformed_division", division=str(code)[:20])
    return next(name for name in reversed(LEVELS) if code[_STARTS[name] : _LENGTHS[name]].strip("0"))


def prefix(code: str) -> str:
    """The digits that every code inside this one begins with; good for LIKE 'prefix%' in SQL."""
    return code[: _LENGTHS[level(code)]]


def ancestors(code: str) -> tuple[str, ...]:
    """The codes above this one, nearest first; a level that the code leaves out (all zeros) is left out."""
    depth = LEVELS.index(level(code))
    cut = (code[: _LENGTHS[name]].ljust(_DIGITS, "0") for name in reversed(LEVELS[:depth]))
    return tuple(dict.fromkeys(above for above in cut if above != code))


def contains(area: str, code: str) -> bool:
    """Pure containment by prefix; an area contains itself. Jurisdiction is `Tree.within`, which knows `reports_to`."""
    level(code)
    return code.startswith(prefix(area))


def kind_of(code: str, name: str) -> str:
    """The kind by code and name: 街道 镇 乡, 居委会 001-199, 村委会 200-399, else a statistical pseudo-division."""
    match level(code):
        case "village":
            part = int(code[9:])
            return "residents_committee" if part < 200 else "village_committee" if part < 400 else "pseudo_village"
        case "town":
            return (
                "pseudo_town" if int(code[6:9]) >= 400 else _by_ending(name, "township", 街道="subdistrict", 镇="town")
            )
        case "county":
            return _by_ending(name, "county", 区="district", 市="county_city")
        case other:
            return other


def _by_ending(name: str, otherwise: str, **kinds: str) -> str:
    return next((kind for ending, kind in kinds.items() if name.endswith(ending)), otherwise)


def counts(code: str, name: str) -> bool:
    """Whether a division counts in denominators before any dated decision says otherwise."""
    return code not in UNCOUNTED_COUNTIES and not kind_of(code, name).startswith("pseudo")


class Tree:
    """The dated tree of divisions. Every question names its day; a retired code resolves to its successor."""

    def __init__(self, rows: Iterable[Division]) -> None:
        self._versions: dict[str, list[Division]] = {}
        self._below: dict[str, list[str]] = {}
        self._lines: dict[tuple[str, date], tuple[str, ...]] = {}
        for row in rows:
            self._add(row)
        for versions in self._versions.values():
            versions.sort(key=lambda row: row.from_on or date.min)

    def _add(self, row: Division) -> None:
        if level(row.code) != row.level:
            raise Refused("malformed_division", division=row.code, level=row.level)
        self._versions.setdefault(row.code, []).append(row)
        below = self._below.setdefault(row.parent_code, [])
        if row.code not in below[-1:]:
            below.append(row.code)

    def __len__(self) -> int:
        """How many codes the tree knows, retired ones included."""
        return len(self._versions)

    def find(self, code: str, on: date) -> Division | None:
        """The version in force on a day, or None; never resolves."""
        return next((row for row in self._versions.get(code, ()) if row.stood(on)), None)

    def exists(self, code: str, on: date) -> bool:
        """Whether the code itself is in force on a day."""
        return self.find(code, on) is not None

    def get(self, code: str, on: date) -> Division:
        """The division that a code means on a day, successors followed; refuses as `resolve` does."""
        found = self.find(self.resolve(code, on), on)
        assert found is not None, "resolve answers only codes in force"
        return found

    def resolve(self, code: str, on: date) -> str:
        """The code in force on a day: itself, or its successor. Refuses `unknown_division`, and `division_split` when
        a retired division went to several, so that a person chooses."""
        seen: set[str] = set()
        start = code
        while not self.exists(code, on):
            last = self._retired(code, on)
            if last is None or not last.successors or code in seen:
                raise Refused("unknown_division", division=start, on=on.isoformat())
            if len(last.successors) > 1:
                raise Refused("division_split", division=start, successors=list(last.successors), on=on.isoformat())
            seen.add(code)
            code = last.successors[0]
        return code

    def _retired(self, code: str, on: date) -> Division | None:
        """The last version that ended on or before a day."""
        ended = [row for row in self._versions.get(code, ()) if row.until_on is not None and row.until_on <= on]
        return ended[-1] if ended else None

    def line(self, code: str, on: date) -> tuple[str, ...]:
        """The line of authority on a day: the division, then whom it reports to, up to the top. Empty if unknown.

        `reports_to` replaces the parent (平潭 350128 reports to the province, so Fuzhou is not in its line). A retired
        code enters the line of its successor; one that was split keeps its old parent."""
        if (code, on) not in self._lines:
            if len(self._lines) >= LINES_MOST:
                self._lines.clear()
            self._lines[code, on] = self._line(code, on)
        return self._lines[code, on]

    def _line(self, code: str, on: date) -> tuple[str, ...]:
        line: list[str] = []
        while code and code not in line:
            row = self.find(code, on) or self._retired(code, on)
            if row is None:
                return ()
            line.append(code)
            moved = row.successors[0] if not row.stood(on) and len(row.successors) == 1 else ""
            code = moved or row.reports_to or row.parent_code
        return tuple(line)

    def reporting(self, on: date) -> tuple[tuple[str, str], ...]:
        """(code, whom it reports to) of every division whose authority is not its parent's on a day."""
        moved = (row for versions in self._versions.values() for row in versions if row.reports_to and row.stood(on))
        return tuple((row.code, row.reports_to) for row in moved)

    def within(self, area: str, code: str, on: date) -> bool:
        """Jurisdiction: whether the authority of `area` covers `code` on a day; an unknown code is within nothing.

        An area that was retired into one other means that other; a split one covers nothing that came of it."""
        line = self.line(code, on)
        if area in line or self.exists(area, on):
            return area in line
        try:
            return self.resolve(area, on) in line
        except Refused:
            return False

    def countable(self, code: str, on: date) -> bool:
        """Whether the division counts in denominators on a day (policy data); refuses as `resolve` does."""
        return self.get(code, on).countable

    def children(self, code: str, on: date) -> tuple[Division, ...]:
        """The divisions directly below in the tree (not by `reports_to`), in code order; "" gives the top."""
        found = (self.find(below, on) for below in sorted(set(self._below.get(code, ()))))
        return tuple(row for row in found if row is not None and row.parent_code == code)

    def path_names(self, code: str, on: date) -> tuple[str, ...]:
        """The names from the province down to the division, as an address begins; refuses as `resolve` does."""
        names: list[str] = []
        row: Division | None = self.get(code, on)
        while row is not None:
            names.append(row.name)
            row = self.find(row.parent_code, on)
        return tuple(reversed(names))

    def standing(self, on: date, level: str | None = None) -> Iterator[Division]:
        """All divisions in force on a day, of one level if named."""
        for versions in self._versions.values():
            for row in versions:
                if row.stood(on) and level in (None, row.level):
                    yield row


def may_see(
    grant_division: str,
    grant_fields: Collection[str] | None,
    division: str,
    field: str | None,
    tree: Tree | None = None,
    on: date | None = None,
) -> bool:
    """The one function of jurisdiction: the grant's area covers the division, and its fields include the field.

    `grant_fields` None means every field; `field` None means that the matter belongs to no field. With a tree, `on` is
    required and `reports_to` and successors are followed; without one, containment by prefix alone decides."""
    if field is not None and grant_fields is not None and field not in grant_fields:
        return False
    if tree is None:
        return contains(grant_division, division)
    if on is None:
        raise ValueError("jurisdiction by the tree needs its day")
    return tree.within(grant_division, division, on)
