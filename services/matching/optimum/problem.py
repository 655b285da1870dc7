"""A batch problem: all open requests and all workers of a scope as arrays. Every worker × every request counts.

Each request is one QUERY row (its needs with the figures in force in its division), so the declared table of rules and
terms judges a batch exactly as it ranks online. `free` in the workers' rows is the places that may be given now: what
was accepted, and offers that may not be moved, are taken off before.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.optimum.kinds import Kinds, kinds_of
from services.matching.ranking import TABLE_VERSION
from services.matching.ranking.arrays import KEPT, LINE_LENGTH, POSTING, Ints, Workers
from services.matching.ranking.measures import QUERY

NAMED = np.dtype([("request", "<i4"), ("worker", "<i4"), ("mark", "<i4")])
"""A worker whom a request names: their places in the problem and the bits CONFLICT, EXCLUDED, EARLIER, OFFERED of measures."""
NONE = -1
"""In `assigned`: served by nobody."""
SERVING_LIMIT = 1 << 40
SERVING = ("serving_points", "serving_urgency_points", "serving_wait_points", "serving_wait_days_most")
FORMAT = "banyan.matching.inputs.v1"
_OF_WORKERS = tuple(name for name in POSTING.names or () if name not in KEPT)


@dataclass(frozen=True, slots=True)
class Band:
    """From this share of the capacity on, each further place costs so many points: bands of a load."""

    from_percent: int
    points: int


@dataclass(frozen=True)
class Problem:
    """One batch. `serving[r]`: points that serving request r is worth, by urgency and waiting; above 0.

    `lines[r]`: the request's line of authority, 12-digit codes, 0 where it is shorter. `named`: sorted by (request,
    worker), each pair once. `bands`: ascending in both of their numbers, or none.
    """

    workers: Workers
    request_ids: Sequence[str]
    demand: NDArray[np.void]
    lines: Ints
    serving: Ints
    named: NDArray[np.void]
    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        """Refuses (ValueError) arrays that do not fit each other or that points could overflow."""
        many, pairs = len(self.request_ids), self.named["request"].astype(np.int64) << 32 | self.named["worker"]
        steps = [(band.from_percent, band.points) for band in self.bands]
        sound = (
            self.demand.dtype == QUERY
            and len(self.demand) == len(self.serving) == many
            and self.lines.shape == (many, LINE_LENGTH)
            and self.named.dtype == NAMED
            and bool((np.diff(pairs) > 0).all())
            and bool(((self.serving > 0) & (self.serving < SERVING_LIMIT)).all())
            and (
                not len(self.named) or 0 <= int(self.named["request"].min()) <= int(self.named["request"].max()) < many
            )
            and (
                not len(self.named)
                or 0 <= int(self.named["worker"].min()) <= int(self.named["worker"].max()) < len(self.workers)
            )
            and all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(steps))
            and all(0 <= percent <= 100 and points >= 0 for percent, points in steps)
        )
        if not sound:
            raise ValueError("the arrays of the problem do not fit each other")

    def __len__(self) -> int:
        return len(self.request_ids)

    @cached_property
    def free(self) -> Ints:
        """Places that each worker may give; never below 0."""
        return np.maximum(self.workers.rows["free"].astype(np.int64), 0)

    @cached_property
    def places(self) -> tuple[Ints, Ints]:
        """Each worker's free places as (start, cost): places start[w] to start[w + 1] cost so many points, ascending.

        The place after `load` taken ones of `capacity` costs the points of the last band that load has reached.
        """
        return places_of(self.workers.rows, self.bands)

    def paid(self, taken: Ints) -> int:
        """What the places in use cost, the first `taken[w]` of each worker."""
        start, cost = self.places
        until = np.concatenate([[0], np.cumsum(cost)])
        return int((until[start[:-1] + taken] - until[start[:-1]]).sum())

    def kinds(self, *also: Ints) -> Kinds:
        """Which requests are one and the same to everybody, and alike in the further columns given, one number a request."""
        wanted = [self.demand[name] for name in QUERY.names or ()]
        return kinds_of([*wanted, *self.lines.T, self.serving, *also], self.named["request"])

    def part(self, requests: Ints) -> Problem:
        """The problem of some of its requests, ascending, and of all its workers, who give what they give here."""
        named = self.named[np.isin(self.named["request"], requests)]
        named["request"] = np.searchsorted(requests, named["request"])
        part = replace(
            self,
            request_ids=[self.request_ids[r] for r in requests.tolist()],
            demand=self.demand[requests],
            lines=self.lines[requests],
            serving=self.serving[requests],
            named=named,
        )
        part.__dict__.update(free=self.free, places=self.places)
        return part

    def with_places(self, places: Ints) -> Problem:
        """The same problem in which each worker gives only their first so many places; scores are of all that are free."""
        changed = replace(self)  # a new one: what is kept on it is worked out anew
        start, cost = changed.places
        starts = np.concatenate([[0], np.cumsum(places)])
        nth = np.arange(starts[-1]) - np.repeat(starts[:-1], places)
        changed.__dict__.update(free=places, places=(starts, cost[np.repeat(start[:-1], places) + nth]))
        return changed

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that the problem is, as plain arrays by name: what a verifier reads, and what the digest is of."""
        rows = self.workers.rows
        told = {
            "format": FORMAT,
            "table_version": TABLE_VERSION,
            "bands": [[b.from_percent, b.points] for b in self.bands],
        }
        return (
            {"told": np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)}
            | {"worker_ids": np.array(self.workers.ids, np.str_), "request_ids": np.array(self.request_ids, np.str_)}
            | {f"worker_{name}": np.ascontiguousarray(rows[name]) for name in _OF_WORKERS}
            | {f"request_{name}": np.ascontiguousarray(self.demand[name]) for name in QUERY.names or ()}
            | {f"named_{name}": np.ascontiguousarray(self.named[name]) for name in NAMED.names or ()}
            | {
                "worker_proficiency": self.workers.proficiency,
                "request_lines": self.lines,
                "request_serving": self.serving,
            }
        )

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Problem:
        """The problem that arrays say; refuses (ValueError) another format or another table of rules and terms."""
        told = json.loads(bytes(arrays["told"]))
        if told["format"] != FORMAT or told["table_version"] != TABLE_VERSION:
            raise ValueError(f"inputs of another format or table: {told['format']}, {told['table_version'][:12]}")
        workers, many = arrays["worker_ids"].tolist(), len(arrays["request_ids"])
        rows = np.zeros(len(workers), POSTING)
        rows["worker"] = np.arange(len(workers))
        for name in _OF_WORKERS:
            rows[name] = arrays[f"worker_{name}"]
        demand, named = np.zeros(many, QUERY), np.zeros(len(arrays["named_mark"]), NAMED)
        for name in QUERY.names or ():
            demand[name] = arrays[f"request_{name}"]
        for name in NAMED.names or ():
            named[name] = arrays[f"named_{name}"]
        return cls(
            workers=Workers(workers, rows, arrays["worker_proficiency"]),
            request_ids=arrays["request_ids"].tolist(),
            demand=demand,
            lines=arrays["request_lines"],
            serving=arrays["request_serving"],
            named=named,
            bands=tuple(Band(*band) for band in told["bands"]),
        )

    @cached_property
    def digest(self) -> str:
        """sha-256 over every array in the order of names: name, type, shape, bytes; 64 hex digits."""
        return digest_of(self.arrays())


def serving_of(urgency: Ints, waited_days: Ints, figures: Ints) -> Ints:
    """What serving each request is worth: a base, so much a step of urgency, so much a day of waiting up to a most.

    `figures`: the four of SERVING, one set for all or one a request.
    """
    base, step, wait, most = np.moveaxis(np.asarray(figures, np.int64), -1, 0)
    worth: Ints = base + step * urgency + wait * np.minimum(waited_days, most)
    return worth


def places_of(rows: NDArray[np.void], bands: Sequence[Band]) -> tuple[Ints, Ints]:
    """The free places of workers' rows and what each costs, as Problem.places says."""
    free, capacity = (rows[name].astype(np.int64) for name in ("free", "capacity"))
    many = np.maximum(free, 0)
    start = np.concatenate([[0], np.cumsum(many)])
    nth = np.arange(start[-1]) - np.repeat(start[:-1], many)
    load = np.repeat(capacity - free, many) + nth
    cost = np.zeros(len(load), np.int64)
    for band in bands:
        cost[100 * load >= band.from_percent * np.repeat(capacity, many)] = band.points
    return start, cost


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """sha-256 over arrays in the order of their names, each as its name, type, shape and bytes; 64 hex digits."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()
