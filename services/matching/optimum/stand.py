"""The problem as it stands now: workers and requests as they change, and the looks through all pairs that a repair needs.

Requests and workers are known by their numbers, which never change: those of the problem first, then each as it comes.
The batch's sheet goes on serving: who leaves gives no place in it, who changes is written over. Workers who are new or have
moved stand beside it as `fresh` until the next look through all pairs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from services.matching.optimum.marks import Marks
from services.matching.optimum.net import NOBODY
from services.matching.optimum.problem import Problem
from services.matching.optimum.sheet import NOTHING, Layer, Ordered, Sheet
from services.matching.optimum.sweep import Pairs, compiled, sweep
from services.matching.ranking import vector
from services.matching.ranking.arrays import Ints, Rows, Workers
from services.matching.ranking.measures import (
    EXCLUDED,
    FIGURE_NAMES,
    OFFERED,
    QUERY_NAMES,
    WORKER_NAMES,
    floor_sqrt,
    mark_facts,
)
from services.matching.ranking.table import RUN_TERMS

FRESH_MOST = 64
"""With more workers than these who are new or have moved, a look through all pairs first lays out a new sheet."""
WANTED = ("x_wanted", "y_wanted", "limit_m", "field_wanted")
CLAIMS_MOST = 256
"""So many requests at the most are looked at anew at once for one worker who is new."""
GROWTH_PERCENT = 150
NEVER = 1 << 60
"""A price at which nobody comes."""


@dataclass(frozen=True)
class Arrival:
    """A request that comes: `demand` one QUERY row, `line` its line of authority, `named` marks by worker number."""

    id: str
    demand: Any
    line: Ints
    serving: int
    named: dict[int, int]


@dataclass(frozen=True)
class Joiner:
    """A worker who comes or has changed: one POSTING row (proficiency 0), and the proficiency in each field."""

    id: str
    row: Any
    proficiency: Any


class Stand:
    """Arrays with room to grow; the first `requests` and `workers` of each hold something."""

    def __init__(self, problem: Problem) -> None:
        self.bands = problem.bands
        self.request_ids, self.worker_ids = list(problem.request_ids), list(problem.workers.ids)
        self.demand, self.lines, self.serving = problem.demand, problem.lines, problem.serving
        self.rows, self.proficiency = problem.workers.rows.copy(), problem.workers.proficiency.copy()
        self.marks, self.sheet = Marks(problem.named.copy()), Sheet(problem)
        self.fresh, self.gone = set[int](), set[int]()
        self.wanted = {name: problem.demand[name].copy() for name in WANTED}
        self._problem: Problem | None = problem
        self._own: dict[bytes, tuple[int, Ordered]] = {}
        self.out = np.full(len(problem), NOBODY, np.int64)
        self.figures = np.full(len(problem), -1, np.int64)
        while (self.figures < 0).any():  # one turn a set; a province has one, or one a county
            first = int(self.figures.argmin())
            alike = np.logical_and.reduce([self.demand[name] == self.demand[name][first] for name in FIGURE_NAMES])
            self.figures[alike] = self._own_of(first)[0]

    @property
    def requests(self) -> int:
        """How many requests ever came."""
        return len(self.request_ids)

    @property
    def workers(self) -> int:
        """How many workers ever came."""
        return len(self.worker_ids)

    def arrive(self, arrival: Arrival) -> int:
        """Takes a request in; answers its number."""
        number = self.requests
        for name, value in (("demand", arrival.demand), ("lines", arrival.line), ("serving", arrival.serving)):
            column = roomy(getattr(self, name), number + 1)
            column[number] = value
            setattr(self, name, column)
        for name, column in self.wanted.items():
            self.wanted[name] = roomy(column, number + 1)
            self.wanted[name][number] = arrival.demand[name]
        self.request_ids.append(arrival.id)
        for worker, mark in arrival.named.items():
            self.marks.put(number, worker, mark)
        self.figures, self.out = (roomy(column, number + 1) for column in (self.figures, self.out))
        self.out[number] = NOBODY
        self.figures[number] = self._own_of(number)[0]
        self._problem = None
        return number

    def exclude(self, request: int, worker: int) -> None:
        """The pair can never be any more."""
        self.marks.put(request, worker, EXCLUDED)
        self._problem = None

    def offered(self, request: int, worker: int) -> None:
        """The request is an offer out with this worker alone; NOBODY: with nobody any more. While it is, no sweep looks at it."""
        if self.marks.clear(request, OFFERED):
            self._problem = None
        self.out[request] = worker

    def is_offered(self, request: int, worker: Ints) -> Ints:
        """1 for the worker with whom the request is out, 0 for the others."""
        marks = self.marks.of(np.full(len(worker), request), worker)
        found: Ints = ((marks & OFFERED) // OFFERED) | (self.out[request] == worker)
        return found

    def join(self, joiner: Joiner, number: int) -> None:
        """Takes in a worker under the next number, or anew under their own."""
        if number == self.workers:
            self.worker_ids.append(joiner.id)
            self.rows, self.proficiency = roomy(self.rows, number + 1), roomy(self.proficiency, number + 1)
        self.rows[number], self.proficiency[number] = joiner.row, joiner.proficiency
        self.rows["worker"][number] = number
        self.gone.discard(number)
        if number < len(self.sheet.where) and self.sheet.takes(self.rows[number], self.proficiency[number]):
            self.fresh.discard(number)
            self._change(number)
        else:
            self._hide(number)
            self.fresh.add(number)

    def leave(self, worker: int) -> None:
        """A worker gives no places any more."""
        self.fresh.discard(worker)
        self.gone.add(worker)
        self.rows["free"][worker] = 0
        self._hide(worker)

    def best_of(self, request: int, prices: Ints, k: int) -> tuple[Ints, Ints]:
        """The k best pairs of one request at the prices, whatever they are worth, best first: (worker, value)."""
        kernel, number = compiled(), np.array([request])
        above = np.array([NOTHING // 2])
        if kernel is None:
            pairs = self._listed(number, prices, np.full(self.requests, above[0]), k)
            worker, value = pairs.worker, pairs.value
        else:
            sheet, only = self.sheet, slice(request, request + 1)
            named = self._of_sheet(self.marks.of_request(request))
            _, worker, value = kernel(
                sheet.pool, sheet.runs, sheet.worker, sheet.where, sheet.keys, *self._own_of(request)[1],
                prices, np.zeros(1, np.int64), self.demand[only], self.lines[only], self.serving[only], above, named,
                np.array([0, len(named)]), k,
            )  # fmt: skip
        if self.fresh:
            joined = np.array(sorted(self.fresh))
            worth = self.values(np.repeat(number, len(joined)), joined)
            able = worth > NOTHING
            worker, value = np.append(worker, joined[able]), np.append(value, worth[able])
        order = np.lexsort((worker, prices[worker] - value))[:k]
        return worker[order].astype(np.int64), value[order]

    def claims(self, worker: int, among: Ints, above: Ints, k: int) -> tuple[Ints, Ints]:
        """The requests among those named whose pair with a worker is worth most more than `above`: (request, value)."""
        row, many = self.rows[worker], self.requests
        x, y, reach, field = (self.wanted[name][:many] for name in WANTED)
        near = (np.abs(x - row["x"]) <= reach) & (np.abs(y - row["y"]) <= reach)
        near &= (self.proficiency[worker] > 0)[field]
        able = among[near[among]]
        value = self.values(able, np.full(len(able), worker))
        gain = value - above[able]
        order = np.lexsort((able, -gain))[:k]
        order = order[gain[order] > 0]
        return able[order], value[order]

    def better(self, among: Ints, prices: Ints, above: Ints, k: int) -> Pairs:
        """Up to k pairs of each request that are worth more than `above` at the prices, best first; over all workers."""
        if len(self.fresh) > FRESH_MOST:
            self._renew()
        parts = [self._listed(among, prices, above, k)] if len(among) else []
        for worker in sorted(self.fresh):
            if prices[worker] < NEVER:
                request, value = self.claims(worker, among, above + prices[worker], CLAIMS_MOST)
                parts.append(Pairs(request, np.full(len(request), worker), value))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0, np.int64)] * 3
        order = np.argsort(columns[0], kind="stable")
        return Pairs(*(column[order] for column in columns))

    def values(self, request: Ints, worker: Ints) -> Ints:
        """What each pair is worth by the table of rules and terms; NOTHING where a rule fails."""
        demand, rows = self.demand[request], self.rows[worker]
        facts: dict[str, Any] = {name: demand[name] for name in QUERY_NAMES + FIGURE_NAMES}
        facts |= {name: rows[name].astype(np.int64) for name in WORKER_NAMES}
        facts["proficiency"] = self.proficiency[worker, demand["field_wanted"]].astype(np.int64)
        east, north = facts["x"] - facts["x_wanted"], facts["y"] - facts["y_wanted"]
        marks = self.marks.of(request, worker)
        facts |= {
            "distance_m": floor_sqrt(east * east + north * north),
            "overlap_slots": np.bitwise_count(facts["slots"] & facts["slots_wanted"]).astype(np.int64),
            "inside": (self.lines[request] == rows["area"][:, None]).any(axis=1).astype(np.int64),
        }
        facts |= mark_facts(marks)
        facts["offered"] |= self.out[request] == worker
        worth = self.serving[request] + vector.score(facts, len(request), RUN_TERMS)
        return np.where(vector.judge(facts, len(request)), worth, NOTHING)

    def problem(self) -> Problem:
        """All requests that ever came and the workers of the sheet, as a sweep reads them."""
        if self._problem is None:
            many = self.requests
            self._problem = replace(
                self.sheet.problem,
                request_ids=self.request_ids,
                demand=self.demand[:many],
                lines=self.lines[:many],
                serving=self.serving[:many],
                named=self._of_sheet(self.marks.rows),
            )
        return self._problem

    def _listed(self, among: Ints, prices: Ints, above: Ints, k: int) -> Pairs:
        """The same over the workers of the sheet only."""
        view, problem = copy.copy(self.sheet), self.problem()
        view.problem = problem
        view.named_start = np.searchsorted(problem.named["request"], np.arange(len(problem) + 1))
        layers = [
            Layer(among[self.figures[among] == number], ordered.by_place()) for number, ordered in self._own.values()
        ]
        view.layers = [layer for layer in layers if len(layer.requests)]
        return sweep(view, prices[: len(problem.workers)], above, k)

    def _of_sheet(self, named: Rows) -> Rows:
        """Those of the rows whose worker the sheet knows."""
        return named[named["worker"] < len(self.sheet.where)]

    def _hide(self, worker: int) -> None:
        """The sheet's postings of a worker give no place."""
        if worker < len(self.sheet.where):
            places = self.sheet.where[worker]
            self.sheet.pool["free"][places[places >= 0]] = 0

    def _change(self, worker: int) -> None:
        """The sheet's postings of a worker are written anew."""
        places = self.sheet.change(self.rows[worker], self.proficiency[worker])
        for key, (_, ordered) in self._own.items():
            self.sheet.order_anew(ordered, np.frombuffer(key, np.int64), places)

    def _own_of(self, request: int) -> tuple[int, Ordered]:
        """Of the request's set of figures: its number, and the postings by the points that no request changes."""
        row = self.demand[request]
        figures = np.array([row[name] for name in FIGURE_NAMES], np.int64)
        key = figures.tobytes()
        if key not in self._own:
            self._own[key] = (len(self._own), self.sheet.ordered(self.sheet.own(figures)))
        return self._own[key]

    def _renew(self) -> None:
        """A sheet of all workers as they are now."""
        rows = self.rows[: self.workers].copy()
        workers = Workers(list(self.worker_ids), rows, self.proficiency[: self.workers])
        self.sheet = Sheet(replace(self.problem(), workers=workers, named=self.marks.rows))
        for key, (number, _) in list(self._own.items()):
            own = self.sheet.own(np.frombuffer(key, np.int64))
            self._own[key] = (number, self.sheet.ordered(own))
        self.fresh.clear()
        self._problem = None


def roomy(column: Any, size: int) -> Any:
    """The array, with room for `size` rows at the least."""
    if size <= len(column):
        return column
    more = max(size, len(column) * GROWTH_PERCENT // 100) - len(column)
    return np.concatenate([column, np.zeros((more, *column.shape[1:]), column.dtype)])
