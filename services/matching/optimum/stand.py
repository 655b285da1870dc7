"""The problem as it stands now: workers and requests as they change, and the looks through all pairs that a repair needs.

Requests and workers are known by their numbers, which never change: those of the problem first, then each as it comes.
The batch's sheet goes on serving; workers who changed since stand beside it as `fresh`, until there are too many.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from services.matching.optimum.problem import NAMED, Problem
from services.matching.optimum.sheet import NOTHING, Layer, Sheet
from services.matching.optimum.sweep import Pairs, compiled, sweep
from services.matching.ranking import vector
from services.matching.ranking.arrays import Ints, Rows, Workers
from services.matching.ranking.measures import (
    CONFLICT,
    EARLIER,
    EXCLUDED,
    FIGURE_NAMES,
    QUERY_NAMES,
    WORKER_NAMES,
    floor_sqrt,
)

FRESH_MOST = 64
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
        self.named: dict[int, dict[int, int]] = {}
        for request, worker, mark in problem.named.tolist():
            self.named.setdefault(request, {})[worker] = mark
        self.sheet, self.fresh, self.gone = Sheet(problem), set[int](), set[int]()
        self._problem: Problem | None = problem
        self._own: dict[bytes, tuple[int, Ints, Ints]] = {}
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
        self.request_ids.append(arrival.id)
        self.named[number] = dict(arrival.named)
        self.figures = roomy(self.figures, number + 1)
        self.figures[number] = self._own_of(number)[0]
        self._problem = None
        return number

    def exclude(self, request: int, worker: int) -> None:
        """The pair can never be any more."""
        marks = self.named.setdefault(request, {})
        marks[worker] = marks.get(worker, 0) | EXCLUDED
        self._problem = None

    def join(self, joiner: Joiner, number: int) -> None:
        """Takes in a worker under the next number, or anew under their own."""
        if number == self.workers:
            self.worker_ids.append(joiner.id)
            self.rows, self.proficiency = roomy(self.rows, number + 1), roomy(self.proficiency, number + 1)
        self.rows[number], self.proficiency[number] = joiner.row, joiner.proficiency
        self.rows["worker"][number] = number
        self.gone.discard(number)
        self.fresh.add(number)
        if len(self.fresh) > FRESH_MOST:
            self._renew()

    def leave(self, worker: int) -> None:
        """A worker gives no places any more."""
        self.fresh.discard(worker)
        self.gone.add(worker)

    def best_of(self, request: int, prices: Ints, k: int) -> tuple[Ints, Ints]:
        """The k best pairs of one request at the prices, whatever they are worth, best first: (worker, value)."""
        listed = self._of_sheet(prices)
        kernel, number = compiled(), np.array([request])
        above = np.array([NOTHING // 2])
        if kernel is None:
            pairs = self._listed(number, listed, np.full(self.requests, above[0]), k)
            worker, value = pairs.worker, pairs.value
        else:
            _, own, best = self._own_of(request)
            sheet, named, only = self.sheet, self._marks_of(request), slice(request, request + 1)
            _, worker, value = kernel(
                sheet.pool, sheet.start, sheet.count, sheet.worker, sheet.where, sheet.keys, own, best, listed,
                np.zeros(1, np.int64), self.demand[only], self.lines[only], self.serving[only], above, named,
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
        row, demand = self.rows[worker], self.demand[among]
        reach = demand["limit_m"]
        near = (np.abs(demand["x_wanted"] - row["x"]) <= reach) & (np.abs(demand["y_wanted"] - row["y"]) <= reach)
        able = among[near & (self.proficiency[worker][demand["field_wanted"]] > 0)]
        value = self.values(able, np.full(len(able), worker))
        gain = value - above[able]
        order = np.lexsort((able, -gain))[:k]
        order = order[gain[order] > 0]
        return able[order], value[order]

    def better(self, among: Ints, prices: Ints, above: Ints, k: int) -> Pairs:
        """Up to k pairs of each request that are worth more than `above` at the prices, best first; over all workers."""
        listed = self._of_sheet(prices)
        parts = [self._listed(among, listed, above, k)] if len(among) else []
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
        pairs = zip(request.tolist(), worker.tolist(), strict=True)
        marks = np.array([self.named.get(r, {}).get(w, 0) for r, w in pairs], np.int64)
        facts |= {
            "distance_m": floor_sqrt(east * east + north * north),
            "overlap_slots": np.bitwise_count(facts["slots"] & facts["slots_wanted"]).astype(np.int64),
            "inside": (self.lines[request] == rows["area"][:, None]).any(axis=1).astype(np.int64),
            "conflict": (marks & CONFLICT) // CONFLICT,
            "excluded": (marks & EXCLUDED) // EXCLUDED,
            "earlier": (marks & EARLIER) // EARLIER,
        }
        worth = self.serving[request] + vector.score(facts, len(request))
        return np.where(vector.judge(facts, len(request)), worth, NOTHING)

    def problem(self) -> Problem:
        """All requests that ever came and the workers of the sheet, as a sweep reads them."""
        if self._problem is None:
            many, listed = self.requests, len(self.sheet.problem.workers)
            named = [(r, w, m) for r in sorted(self.named) for w, m in sorted(self.named[r].items()) if w < listed]
            self._problem = replace(
                self.sheet.problem,
                request_ids=self.request_ids,
                demand=self.demand[:many],
                lines=self.lines[:many],
                serving=self.serving[:many],
                named=np.array(named, NAMED),
            )
        return self._problem

    def _listed(self, among: Ints, prices: Ints, above: Ints, k: int) -> Pairs:
        """The same over the workers of the sheet only."""
        view, problem = copy.copy(self.sheet), self.problem()
        view.problem = problem
        view.named_start = np.searchsorted(problem.named["request"], np.arange(len(problem) + 1))
        layers = [Layer(among[self.figures[among] == number], own) for number, own, _ in self._own.values()]
        view.layers = [layer for layer in layers if len(layer.requests)]
        return sweep(view, prices[: len(problem.workers)], above, k)

    def _of_sheet(self, prices: Ints) -> Ints:
        """The prices, at which nobody comes to a worker whom the sheet does not know as they are."""
        unlike = self.fresh | self.gone
        if not unlike:
            return prices
        prices = prices.copy()
        prices[sorted(unlike)] = NEVER
        return prices

    def _marks_of(self, request: int) -> Rows:
        listed = len(self.sheet.problem.workers)
        marks = self.named.get(request, {})
        return np.array([(0, worker, mark) for worker, mark in sorted(marks.items()) if worker < listed], NAMED)

    def _own_of(self, request: int) -> tuple[int, Ints, Ints]:
        """Of the request's set of figures: its number, each posting's own points, the best of each cell."""
        row = self.demand[request]
        figures = np.array([row[name] for name in FIGURE_NAMES], np.int64)
        key = figures.tobytes()
        if key not in self._own:
            own = self.sheet.own(figures)
            self._own[key] = (len(self._own), own, self.sheet.best_of_cells(own))
        return self._own[key]

    def _renew(self) -> None:
        """A sheet of all workers as they are now."""
        rows = self.rows[: self.workers].copy()
        rows["free"][sorted(self.gone)] = 0
        workers = Workers(list(self.worker_ids), rows, self.proficiency[: self.workers])
        self.sheet = Sheet(replace(self.problem(), workers=workers))
        keys, self._own = list(self._own), {}
        for number, key in enumerate(keys):
            own = self.sheet.own(np.frombuffer(key, np.int64))
            self._own[key] = (number, own, self.sheet.best_of_cells(own))
        self.fresh.clear()
        self._problem = None


def roomy(column: Any, size: int) -> Any:
    """The array, with room for `size` rows at the least."""
    if size <= len(column):
        return column
    more = max(size, len(column) * GROWTH_PERCENT // 100) - len(column)
    return np.concatenate([column, np.zeros((more, *column.shape[1:]), column.dtype)])
