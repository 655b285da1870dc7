"""First columns that hold nearly all that the optimum needs: chosen by prices which a smaller problem has told.

Every fourth request, in the order of places, competes for every fourth free place; the prices of that market are near
those of the whole one. Around them each request keeps its best pairs, and each worker whom few requests keep, and who
would so look as if nobody wanted them, keeps their best requests. Nothing here is part of the proof: `solve` looks through all
pairs afterwards, whatever the first columns were.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.matching.optimum.problem import Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints

PART = 4
SIDE_M = 3_000
"""Places in one square of this side count as one when requests and workers are put in the order of places."""
NEAR_POINTS, OF_REQUEST = 4_000, 8
"""A request keeps up to so many pairs, all within so many points of its best one."""
OF_POOR, LOOKED_AT, TIMES = ((12, 6_000), (24, 6_000)), 60, 3
"""Workers kept by fewer requests than TIMES a place and TIMES more are looked for again: (pairs a request, points)."""
Prices = Callable[[Problem], tuple[Ints, Ints]]
"""Answers good prices of a problem and the surpluses that go with them."""


def sampled(problem: Problem) -> Problem:
    """Every fourth request and every fourth free place; scores stay as they are."""
    demand, rows = problem.demand, problem.workers.rows
    order = np.lexsort((demand["x_wanted"] // SIDE_M, demand["y_wanted"] // SIDE_M, demand["field_wanted"]))
    chosen = np.sort(order[PART // 2 :: PART])
    along = np.lexsort((rows["x"] // SIDE_M, rows["y"] // SIDE_M))
    ends = np.cumsum(problem.free[along])
    places = np.zeros(len(rows), np.int64)
    places[along] = ends // PART - (ends - problem.free[along]) // PART
    return problem.part(chosen).with_places(places)


def first_columns(problem: Problem, sheet: Sheet, solved: Prices, over: Callable[[], bool] = lambda: False) -> Pairs:
    """Pairs to begin with, by the prices that `solved` finds of the smaller problem; fewer where `over` says that time is."""
    part = sampled(problem)
    prices, surplus = solved(part)
    prices = _imputed(problem, part, prices, surplus)
    pairs = sweep(sheet, prices, np.full(len(problem), -NEAR_POINTS), OF_REQUEST)
    best = np.zeros(len(problem), np.int64)
    np.maximum.at(best, pairs.request, pairs.value - prices[pairs.worker])
    for many, points in OF_POOR:
        if over():
            break
        count = np.bincount(pairs.worker, minlength=len(problem.workers))
        poor = count < TIMES * problem.free + TIMES
        more = sweep(Sheet(problem.with_places(problem.free * poor)), prices, best - points, many)
        pairs = _joined(pairs, _best_of_workers(problem, more, best))
    return pairs


def _imputed(problem: Problem, part: Problem, prices: Ints, surplus: Ints) -> Ints:
    """Whoever had no place in the smaller problem is priced so that no request there would gain by them."""
    absent = ((part.free == 0) & (problem.free > 0)).astype(np.int64)
    wanting = sweep(Sheet(part.with_places(absent)), np.zeros(len(absent), np.int64), surplus, LOOKED_AT)
    found = np.where(absent > 0, 0, prices)
    np.maximum.at(found, wanting.worker, wanting.value - surplus[wanting.request])
    return found


def _best_of_workers(problem: Problem, pairs: Pairs, best: Ints) -> Pairs:
    """Of each worker's pairs those with the requests that lose least by them, twice TIMES a place and twice TIMES more."""
    order = np.lexsort((best[pairs.request] - pairs.value, pairs.worker))
    worker = pairs.worker[order]
    nth = np.arange(len(order)) - np.searchsorted(worker, worker)
    kept = np.sort(order[nth < 2 * TIMES * (problem.free[worker] + 1)])
    return Pairs(*(column[kept] for column in pairs))


def _joined(one: Pairs, other: Pairs) -> Pairs:
    """Both, each pair once, ascending by request and worker."""
    request, worker, value = (np.concatenate(both) for both in zip(one, other, strict=True))
    once = np.unique(request << 32 | worker, return_index=True)[1]
    return Pairs(request[once], worker[once], value[once])
