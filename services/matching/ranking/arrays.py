"""What goes in: workers as arrays with ids beside them, and one request as a small struct. Units are declared here."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as listed
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
Ints = NDArray[np.int64]

POSTING = np.dtype(
    {
        "names": [
            "x", "y", "capacity", "free", "worker", "languages", "slots", "area",
            "level", "proficiency", "sex", "registered", "cross_area", "mark", "own", "key",
            "traits",
        ],
        "formats": ["<i4"] * 7 + ["<i8"] + ["i1"] * 6 + ["<i4", "<i8", "<i8"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 32, 40, 41, 42, 43, 44, 45, 28, 48, 56],
        "itemsize": 64,
    }
)  # fmt: skip
"""One worker in one field, 64 bytes, one cache line.

x, y: metres in the plane. capacity, free: places a week. worker: slot in the index. languages, slots: bit sets. area:
12-digit division code. level: 0 none, 1 assistant, 2 intermediate, 3 senior. proficiency: 0-3 in the field. sex: 0
unsaid, 1 female, 2 male. registered, cross_area: 0 or 1. The rest is the index's own, 0 elsewhere: mark, how the request in
hand names the worker; own, the points that no request changes; key, the order of ids; traits, as `traits_of` says.
"""
KEPT = ("worker", "proficiency", "mark", "own", "key", "traits")
"""What a POSTING says of its place and not of the worker."""

PLACE_LIMIT_M = 1 << 23
"""Coordinates lie within ± this: differences stay within 2^24, the sum of two squares within 2^49, exact in float64."""
CAPACITY_LIMIT = 1_000_000
SET_BITS = 31
LINE_LENGTH = 8
"""The most divisions in a line of authority (the province's deepest has 5)."""
_NOWHERE = (0,) * LINE_LENGTH
_PACKED = struct.Struct(f"{LINE_LENGTH + 10}q")


def traits_of(languages: Any, sex: Any, level: Any, registered: Any, free: Any) -> Any:
    """What a worker has, or a request needs, of these five as one set of bits, ints or arrays: whoever lacks a bit that is needed
    fails the rule of it."""
    least = (level >= 1) * 1 + (level >= 2) * 2 + (level >= 3) * 4
    return languages + ((sex == 1) + (sex == 2) * 2 + least * 4 + registered * 32 + (free > 0) * 64) * (1 << SET_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One assigned worker. `proficiency` is 0-3 for each field in field order; `load` is places taken of `capacity`."""

    id: str
    x: int
    y: int
    area: int
    capacity: int
    load: int
    proficiency: tuple[int, ...]
    level: int = 0
    registered: int = 0
    sex: int = 0
    languages: int = 0
    slots: int = 0
    cross_area: int = 0

    @property
    def free(self) -> int:
        """Places free this week; below 0 if overbooked."""
        return self.capacity - self.load

    def row(self, slot: int, key: int = 0) -> tuple[int, ...]:
        """The worker as a POSTING without field (proficiency 0), at a slot of an index, with the key of the id."""
        return (
            self.x, self.y, self.capacity, self.capacity - self.load, slot, self.languages, self.slots, self.area,
            self.level, 0, self.sex, self.registered, self.cross_area, 0, 0, key, 0,
        )  # fmt: skip

    def check(self, fields: int) -> None:
        """Refuses (ValueError) what the arrays cannot hold exactly."""
        sound = (
            bool(self.id)
            and abs(self.x) <= PLACE_LIMIT_M
            and abs(self.y) <= PLACE_LIMIT_M
            and 0 <= self.capacity <= CAPACITY_LIMIT
            and 0 <= self.load <= CAPACITY_LIMIT
            and 0 < self.area < 10**12
            and 0 <= self.languages < 1 << SET_BITS
            and 0 <= self.slots < 1 << SET_BITS
            and {self.registered, self.cross_area} <= {0, 1}
            and {self.level, *self.proficiency} <= {0, 1, 2, 3}
            and self.sex in (0, 1, 2)
            and len(self.proficiency) == fields
        )
        if not sound:
            raise ValueError(f"worker {self.id!r} does not fit the arrays: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the ranking sees it: only needs, no name; refuses (ValueError) what the arrays cannot hold exactly. `line`: its
    division's line of authority, itself first.

    x, y: metres in the plane. urgency: 0-3. min_level: 0 asks for none. Sets are bits as in POSTING; 0 asks nothing.
    `conflicts`, `excluded` and `earlier` are worker ids: interest, declined or left out, served this household before. `packed`: the
    line, 0 where it is shorter, and the needs, as the kernel reads them; `traits`: those of them that a bit says.
    """

    field: int
    x: int
    y: int
    line: tuple[int, ...]
    urgency: int = 0
    registration_needed: int = 0
    languages_needed: int = 0
    languages_wished: int = 0
    sex_wanted: int = 0
    min_level: int = 0
    slots_wanted: int = 0
    cross_area_allowed: int = 0
    conflicts: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    packed: bytes = listed(init=False, repr=False, compare=False)
    traits: int = listed(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sound = (
            self.field >= 0
            and abs(self.x) <= PLACE_LIMIT_M
            and abs(self.y) <= PLACE_LIMIT_M
            and len(self.line) <= LINE_LENGTH
            and 0 <= self.languages_needed < 1 << SET_BITS
            and 0 <= self.languages_wished < 1 << SET_BITS
            and 0 <= self.slots_wanted < 1 << SET_BITS
        )
        if not sound:
            raise ValueError(f"request does not fit the arrays: {self}")
        line = (*self.line, *_NOWHERE[len(self.line) :])
        object.__setattr__(self, "packed", _PACKED.pack(*line, *self.needs()))
        asked = (self.languages_needed, self.sex_wanted, self.min_level, self.registration_needed)
        object.__setattr__(self, "traits", traits_of(*asked, free=1))

    def needs(self) -> tuple[int, ...]:
        """What of a QUERY is the request's own, in the order of QUERY_NAMES."""
        return (
            self.x, self.y, self.field, self.registration_needed, self.languages_needed, self.languages_wished,
            self.sex_wanted, self.min_level, self.slots_wanted, self.cross_area_allowed,
        )  # fmt: skip

    def check(self, fields: int) -> None:
        """Refuses (ValueError) a field that is none."""
        if self.field >= fields:
            raise ValueError(f"request does not fit the arrays of {fields} fields: {self}")


@dataclass(slots=True)
class Workers:
    """Many workers: `ids[i]`, `rows[i]` (POSTING, proficiency 0) and `proficiency[i, field]` (0-3) are one worker."""

    ids: list[str]
    rows: Rows
    proficiency: NDArray[np.int8]

    @classmethod
    def of(cls, workers: Iterable[Worker], fields: int) -> Workers:
        """Checks each worker; refuses (ValueError) one that does not fit, or an id that comes twice."""
        listed = list(workers)
        for worker in listed:
            worker.check(fields)
        ids = [worker.id for worker in listed]
        if len(set(ids)) < len(ids):
            raise ValueError("a worker id comes twice")
        rows = np.array([worker.row(slot) for slot, worker in enumerate(listed)], POSTING)
        proficiency = np.array([worker.proficiency for worker in listed], np.int8).reshape(len(listed), fields)
        return cls(ids, rows, proficiency)

    def __len__(self) -> int:
        return len(self.ids)

    def worker(self, slot: int) -> Worker:
        """The worker at a slot."""
        return worker_of(self.ids[slot], self.rows[slot], self.proficiency[slot])


def worker_of(id: str, row: Any, proficiency: Sequence[Any] | NDArray[np.int8]) -> Worker:
    """The Worker that a POSTING row and its proficiencies say."""
    facts = {name: int(row[name]) for name in POSTING.names or ()}
    kept = ("x", "y", "area", "capacity", "level", "registered", "sex", "languages", "slots", "cross_area")
    return Worker(
        id=id,
        load=facts["capacity"] - facts["free"],
        proficiency=tuple(int(value) for value in proficiency),
        **{name: facts[name] for name in kept},
    )
