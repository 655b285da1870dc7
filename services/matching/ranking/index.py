"""The index: all assigned workers in memory, the exact best k for a request, and every answer explained.

One lock keeps readers and writers apart, so a reader never sees half a change; each holds it for microseconds and never
waits for anything inside. The process uses it either from greenlets or from threads, as its `threading` module is.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from banyan.kernel.refusal import Refused
from services.matching.ranking import kernel, measures, vector
from services.matching.ranking.arrays import LINE_LENGTH, POSTING, Ints, Request, Worker, Workers, traits_of, worker_of
from services.matching.ranking.figures import Figures
from services.matching.ranking.measures import FIGURE_NAMES, QUERY, WORKER_NAMES
from services.matching.ranking.order import IdOrder
from services.matching.ranking.postings import Postings
from services.matching.ranking.table import OF_WORKER, Explanation, Judged, explain_pair

TOP_K = 10
_LINE_BYTES = 8 * LINE_LENGTH
_LIMIT, _FIGURES = struct.Struct("q"), struct.Struct(f"{len(FIGURE_NAMES)}q")
_NOBODY = np.zeros(0, np.int64)
_OF_WORKER = {fact for term in OF_WORKER for fact in term.facts} & {*WORKER_NAMES}
_OWN_FIGURES = {fact for term in OF_WORKER for fact in term.facts} & {*FIGURE_NAMES}
_SLOTS_LEAST = 16


class Ranked(msgspec.Struct, frozen=True, gc=False):
    """A place in a ranking."""

    worker_id: str
    score: int


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a worker is not among the first k: the rules that failed, else what is missing to the k-th place.

    `gap` is points behind the k-th, `ahead`; 0 means equal points and a later id. It is None where a rule failed or the
    worker is among the first k, at `place` (from 1).
    """

    worker_id: str
    failed: tuple[Judged, ...]
    score: int
    place: int | None
    gap: int | None
    ahead: Ranked | None


class Index:
    """All assigned workers under one state of the figures. Refuses `worker_not_matchable` for any other id."""

    def __init__(self, workers: Workers | Iterable[Worker], figures: Figures) -> None:
        held = workers if isinstance(workers, Workers) else Workers.of(workers, figures.fields)
        self._lock = threading.Lock()
        self._ids: list[str | None] = list(held.ids)
        self._slot_of = {id: slot for slot, id in enumerate(held.ids)}
        self._rows = held.rows.copy()
        self._rows["worker"] = np.arange(len(held))
        self._proficiency = held.proficiency.copy()
        self._empty: list[int] = []
        self._order = IdOrder(held.ids)
        self._rows["key"] = self._order.keys
        self._rows["traits"] = traits(self._rows)
        self._postings = Postings(self._rows, self._proficiency)
        self._asked = bytearray(_LINE_BYTES + QUERY.itemsize)
        self._line = np.frombuffer(self._asked, np.int64, LINE_LENGTH)
        self._query = np.frombuffer(self._asked, QUERY, 1, _LINE_BYTES)
        self._room_for(TOP_K)
        self._points: dict[str, int] = {}
        self._rank_by(figures)

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, worker_id: str) -> bool:
        return worker_id in self._slot_of

    @property
    def figures(self) -> Figures:
        """The figures in force here."""
        return self._figures

    def use(self, figures: Figures) -> None:
        """Ranks by other figures from now on; the fields must be the same (ValueError)."""
        if figures.fields != self._proficiency.shape[1]:
            raise ValueError("other fields need another index")
        with self._lock:
            if figures != self._figures:
                self._rank_by(figures)

    def _rank_by(self, figures: Figures) -> None:
        before, self._points = self._points, measures.figure_facts(figures)
        self._figures = figures
        _FIGURES.pack_into(self._asked, len(self._asked) - _FIGURES.size, *self._points.values())
        if any(before.get(name) != self._points[name] for name in _OWN_FIGURES):
            self._postings.order(vector.own(self._postings.pool, self._points))

    # -- changes -----------------------------------------------------------------------------------------------------

    def add(self, worker: Worker) -> None:
        """Takes a worker in, or changes the one held; refuses (ValueError) what does not fit the arrays."""
        worker.check(self._figures.fields)
        with self._lock:
            slot = self._slot_of.get(worker.id)
            if slot is None:
                slot = self._take_slot(worker.id)
            self._write(slot, worker)

    update = add

    def remove(self, worker_id: str) -> None:
        """Takes a worker out; refuses `worker_not_matchable`."""
        with self._lock:
            slot = self._slot(worker_id)
            for field in np.flatnonzero(self._proficiency[slot]):
                self._postings.take(slot, int(field))
            self._proficiency[slot] = 0
            self._order.remove(worker_id)
            del self._slot_of[worker_id]
            self._ids[slot] = None
            self._empty.append(slot)

    def _slot(self, worker_id: str) -> int:
        slot = self._slot_of.get(worker_id)
        if slot is None:
            raise Refused("worker_not_matchable", worker_id=worker_id)
        return slot

    def _take_slot(self, worker_id: str) -> int:
        if not self._empty:
            self._grow()
        slot = self._empty.pop()
        self._ids[slot] = worker_id
        self._slot_of[worker_id] = slot
        if self._order.add(worker_id, slot):
            for rows in (self._rows, self._postings.pool):
                rows["key"] = self._order.keys[rows["worker"]]
        return slot

    def _grow(self) -> None:
        """Doubles the places for workers."""
        old, new = len(self._ids), max(_SLOTS_LEAST, 2 * len(self._ids))
        more = new - old
        self._rows = np.concatenate([self._rows, np.zeros(more, self._rows.dtype)])
        self._rows["worker"] = np.arange(new)
        self._proficiency = np.concatenate([self._proficiency, np.zeros((more, self._figures.fields), np.int8)])
        self._postings.grow_slots(new)
        self._order.grow_slots(new)
        self._ids += [None] * more
        self._empty += reversed(range(old, new))

    def _write(self, slot: int, worker: Worker) -> None:
        """Writes a worker, and each of their postings where it belongs now."""
        before = self._proficiency[slot].tolist()
        self._rows[slot] = worker.row(slot, self._order.keys[slot])
        row = self._rows[slot]
        row["traits"] = traits(row)
        for field, (old, new) in enumerate(zip(before, worker.proficiency, strict=True)):
            if old:
                self._postings.take(slot, field)
            if new:
                self._postings.put(slot, field, row, new, self._own(worker, new))
        self._proficiency[slot] = worker.proficiency

    def _own(self, worker: Worker, proficiency: int) -> int:
        """The points of a worker in one field that no request changes."""
        facts = self._points | {name: getattr(worker, name) for name in _OF_WORKER if name != "proficiency"}
        facts["proficiency"] = proficiency
        return sum(term.of(facts) for term in OF_WORKER)

    # -- questions ---------------------------------------------------------------------------------------------------

    def rank(self, request: Request, k: int = TOP_K) -> list[Ranked]:
        """The best k of all workers that pass every rule, best first, ties by id."""
        if k < 1:
            raise ValueError("k is at least 1")
        with self._lock:
            return self._rank(request, k)

    def alternative(self, request: Request, k: int = TOP_K) -> Ranked | None:
        """The k+1st, who would come in if one of the first k fell out; None if there is none."""
        return next(iter(self.rank(request, k + 1)[k:]), None)

    def worker(self, worker_id: str) -> Worker:
        """The worker as held; refuses `worker_not_matchable`."""
        with self._lock:
            return self._worker(worker_id)

    def explain(self, request: Request, worker_id: str) -> Explanation:
        """Every rule and term of a pair with its facts; refuses `worker_not_matchable`."""
        request.check(self._figures.fields)
        with self._lock:
            return explain_pair(self._worker(worker_id), request, self._figures)

    def why_not(self, request: Request, worker_id: str, k: int = TOP_K) -> WhyNot:
        """Why a worker is not among the first k; refuses `worker_not_matchable`."""
        request.check(self._figures.fields)
        with self._lock:
            pair = explain_pair(self._worker(worker_id), request, self._figures)
            best = [] if pair.failed else self._rank(request, k)
        place = next((at for at, ranked in enumerate(best, 1) if ranked.worker_id == worker_id), None)
        if pair.failed or place or not best:
            return WhyNot(worker_id, pair.failed, pair.score, place, None, None)
        return WhyNot(worker_id, (), pair.score, None, best[-1].score - pair.score, best[-1])

    def _worker(self, worker_id: str) -> Worker:
        slot = self._slot(worker_id)
        return worker_of(worker_id, self._rows[slot], self._proficiency[slot])

    def _rank(self, request: Request, k: int) -> list[Ranked]:
        request.check(self._figures.fields)
        packed = request.packed
        self._asked[: len(packed)] = packed
        _LIMIT.pack_into(self._asked, len(packed), self._figures.limit_m(request.field, request.urgency))
        if k != len(self._best):
            self._room_for(k)
        marked, named = [], _NOBODY
        if request.conflicts or request.excluded or request.earlier:
            marked = self._mark(request)
            named = self._earlier(marked)
        postings = self._postings
        found = kernel.top()(postings.pool, postings.runs, named, self._line, self._query, request.traits, self._best)
        if marked:
            postings.pool["mark"][marked] = 0
        if not found:
            return []
        told = self._told()
        ids = itemgetter(*told[1::2])(self._ids)  # also of rows beyond, for `map` ends with the points
        return [*map(Ranked, ids, told[: 2 * found : 2])]

    def _room_for(self, k: int) -> None:
        """Room for the best k, as the kernel fills it: rows of points, key, slot; and a row more, for there are always two to get."""
        rows = k + 1
        room = bytearray(24 * rows)
        self._best = np.frombuffer(room, np.int64).reshape(rows, 3)[:k]
        self._told = partial(struct.Struct("<" + "q8xq" * rows).unpack, room)

    def _mark(self, request: Request) -> list[int]:
        """Marks the postings of workers whom the request names; answers their places, to be cleared after."""
        marks, places = self._postings.pool["mark"], []
        where = self._postings.where[:, request.field]
        for ids, bit in (
            (request.conflicts, measures.CONFLICT),
            (request.excluded, measures.EXCLUDED),
            (request.earlier, measures.EARLIER),
        ):
            for slot in filter(lambda slot: slot is not None, map(self._slot_of.get, ids)):
                place = int(where[slot])
                if place >= 0:
                    marks[place] |= bit
                    places.append(place)
        return places

    def _earlier(self, marked: list[int]) -> Ints:
        """The places of those marked who served this household before, each once."""
        marks = self._postings.pool["mark"]
        return np.array([place for place in dict.fromkeys(marked) if marks[place] & measures.EARLIER], np.int64)


def traits(rows: Any) -> Any:
    """The traits of workers' rows, or of one."""
    return traits_of(*(rows[name].astype(np.int64) for name in ("languages", "sex", "level", "registered", "free")))


def warm() -> bool:
    """Loads or compiles the kernel (seconds) and lets it serve; False where numba is not installed."""
    chosen = kernel.build()
    if chosen is None:
        return False
    held = Postings(np.zeros(0, POSTING), np.zeros((0, 1), np.int8))
    query = np.zeros(1, QUERY)
    query["limit_m"] = 1
    chosen(held.pool, held.runs, _NOBODY, np.zeros(LINE_LENGTH, np.int64), query, 0, np.zeros((1, 3), np.int64))
    kernel.serve(chosen)
    return True
