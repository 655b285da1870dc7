"""Column generation in numpy alone: what `batch_100k_vs_numpy` compares with. No numba, the same min-cost flow.

The sweep takes the requests of one cell and field against all postings within reach as a block: distance and an upper
bound in float32, then the declared table on the pairs that are left. Prices come from the flow by rounds of relaxation.
It knows no load bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from services.matching.optimum import flow
from services.matching.optimum.marks import Marks
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.sheet import Layer, Sheet
from services.matching.optimum.solution import bound
from services.matching.optimum.sweep import Pairs
from services.matching.ranking import grid, vector
from services.matching.ranking.arrays import Ints
from services.matching.ranking.measures import (
    CONFLICT,
    EARLIER,
    EXCLUDED,
    FIGURE_NAMES,
    OFFERED,
    ON_TOP,
    QUERY_NAMES,
    WORKER_NAMES,
    floor_sqrt,
)
from services.matching.ranking.table import RUN_TERMS

FIRST_PAIRS, MORE_PAIRS = 32, 12
NEAR_POINTS = 6_000
"""Pairs further than this below the prices leave the flow again, unless they are in use."""
BLOCK = 1 << 19
SLACK_POINTS, SLACK_M = 4, 4
"""What float32 may be wrong by, and more."""


def solve(problem: Problem) -> tuple[int, Ints]:
    """The optimum over all pairs and who goes to whom; stops (AssertionError) where the proof does not add up."""
    sheet, marks = Sheet(problem), Marks(problem.named)
    prices, surplus = np.zeros(len(problem.workers), np.int64), np.zeros(len(problem), np.int64)
    pairs = look(sheet, marks, prices, surplus, FIRST_PAIRS)
    while True:
        by = flow.assign(problem, pairs)
        prices, surplus = duals(problem, pairs, by)
        served = np.flatnonzero(by >= 0)
        better = look(sheet, marks, prices, surplus, MORE_PAIRS)
        if not len(better):
            objective = int(pairs.value[by[served]].sum())
            assert objective == bound(problem, prices, surplus)
            assigned = np.full(len(problem), NONE, np.int64)
            assigned[served] = pairs.worker[by[served]]
            return objective, assigned
        kept = pairs.value - prices[pairs.worker] - surplus[pairs.request] > -NEAR_POINTS
        kept[by[served]] = True
        joined = [np.concatenate([old[kept], new]) for old, new in zip(pairs, better, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        pairs = Pairs(*(column[order] for column in joined))


def duals(problem: Problem, pairs: Pairs, by: Ints) -> tuple[Ints, Ints]:
    """The least prices of an optimal assignment, and the surpluses: whose surplus fell asks the others for more."""
    prices, served = np.zeros(len(problem.workers), np.int64), np.flatnonzero(by >= 0)
    value, mate = np.zeros(len(problem), np.int64), np.full(len(problem), NONE)
    value[served], mate[served] = pairs.value[by[served]], pairs.worker[by[served]]
    theirs = served[np.argsort(mate[served], kind="stable")]
    first = np.searchsorted(mate[theirs], np.arange(len(prices) + 1))
    start = np.searchsorted(pairs.request, np.arange(len(problem) + 1))
    asking = np.arange(len(problem))
    while len(asking):
        each = spans(start[asking], start[asking + 1])
        gain = value[asking] - np.where(mate[asking] >= 0, prices[mate[asking]], 0)
        asked = pairs.value[each] - np.repeat(gain, start[asking + 1] - start[asking])
        more = asked > prices[pairs.worker[each]]
        np.maximum.at(prices, pairs.worker[each][more], asked[more])
        raised = np.unique(pairs.worker[each][more])
        asking = theirs[spans(first[raised], first[raised + 1])]
    return prices, value - np.where(mate >= 0, prices[mate], 0)


def spans(start: Ints, end: Ints) -> Ints:
    """All numbers of spans, one span after another."""
    many = end - start
    return np.repeat(start - (np.cumsum(many) - many), many) + np.arange(int(many.sum()))


def look(sheet: Sheet, marks: Marks, prices: Ints, above: Ints, k: int) -> Pairs:
    """For each request up to k best pairs worth more than `above` at the prices, over all workers."""
    parts = [
        _best(sheet, prices, above, k, *pairs)
        for layer in sheet.layers
        for pairs in _blocks(sheet, marks, layer, prices, above)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0, np.int64)] * 3
    order = np.argsort(columns[0], kind="stable")
    return Pairs(*(column[order] for column in columns))


def _blocks(sheet: Sheet, marks: Marks, layer: Layer, prices: Ints, above: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
    """(requests, workers, values) of all feasible pairs that the bound does not rule out; each request in one block."""
    demand = sheet.problem.demand
    keys = [
        demand[name][layer.requests] // of
        for name, of in (("field_wanted", 1), ("y_wanted", grid.CELL_M), ("x_wanted", grid.CELL_M))
    ]
    cut = np.flatnonzero(np.any([np.diff(key) != 0 for key in keys], axis=0)) + 1
    for first, last in pairwise([0, *cut.tolist(), len(layer.requests)]):
        group = layer.requests[first:last]
        places = _window(sheet, demand[group])
        for some in np.array_split(group, 1 + len(group) * len(places) // BLOCK):
            request, place = _near(sheet, marks, layer, prices, above, some, places)
            value = _values(sheet, marks, request, place)
            able = value >= 0
            yield request[able], sheet.worker[place[able]].astype(np.int64), value[able]


def _window(sheet: Sheet, demand: Any) -> Ints:
    """The places of all postings that can be within reach of somebody in the cell."""
    reach, field = int(demand["limit_m"].max()), int(demand["field_wanted"][0])
    spread = []
    for name in ("y_wanted", "x_wanted"):
        low, high = int(demand[name].min()), int(demand[name].max())
        spread.append(np.unique(np.arange(grid.first_cell(low, reach), (high + reach) // grid.CELL_M + 1) & grid.MASK))
    bucket = ((field * grid.SIZE + spread[0][:, None]) * grid.SIZE + spread[1]).ravel()
    return spans(*sheet.runs[bucket].T)


def _near(
    sheet: Sheet, marks: Marks, layer: Layer, prices: Ints, above: Ints, some: Ints, places: Ints
) -> tuple[Ints, Ints]:
    """Pairs within reach that may be worth more than `above`; those who served the household before are in any case."""
    demand, pool = sheet.problem.demand[some], sheet.pool
    east, north = (
        demand[f"{name}_wanted"].astype(np.float32)[:, None] - pool[name][places].astype(np.float32) for name in "xy"
    )
    metres = np.sqrt(east * east + north * north)
    reach, nearest = demand["limit_m"].astype(np.float32), demand["nearest_points"].astype(np.float32)
    rest = sheet.problem.serving[some] - above[some] + demand["nearest_points"] + SLACK_POINTS
    rest += demand["asked_language_points"] + demand["exact_level_points"] + demand["slots_most_points"]
    own = (layer.own[places] - prices[sheet.worker[places]]).astype(np.float32)
    able = (metres <= reach[:, None] + SLACK_M) & (
        metres * (nearest / reach)[:, None] < own + rest.astype(np.float32)[:, None]
    )
    row, column = np.nonzero(able)
    request, place = some[row], places[column]
    known = np.concatenate([marks.of_request(r) for r in some.tolist()])
    known = known[(known["mark"] & ON_TOP) > 0]
    at = sheet.where[known["worker"], sheet.problem.demand["field_wanted"][known["request"]]]
    both = np.unique(
        np.concatenate([request << 32 | place, known["request"][at >= 0].astype(np.int64) << 32 | at[at >= 0]])
    )
    return both >> 32, both & ((1 << 32) - 1)


def _values(sheet: Sheet, marks: Marks, request: Ints, place: Ints) -> Ints:
    """What each pair is worth by the declared table; below 0 where a rule fails."""
    demand, rows = sheet.problem.demand[request], sheet.pool[place]
    facts: dict[str, Any] = {name: demand[name] for name in QUERY_NAMES + FIGURE_NAMES}
    facts |= {name: rows[name].astype(np.int64) for name in WORKER_NAMES}
    east, north = facts["x"] - facts["x_wanted"], facts["y"] - facts["y_wanted"]
    mark = marks.of(request, rows["worker"])
    facts |= {
        "distance_m": floor_sqrt(east * east + north * north),
        "overlap_slots": np.bitwise_count(facts["slots"] & facts["slots_wanted"]).astype(np.int64),
        "inside": (sheet.problem.lines[request] == rows["area"][:, None]).any(axis=1).astype(np.int64),
        "conflict": (mark & CONFLICT) // CONFLICT,
        "excluded": (mark & EXCLUDED) // EXCLUDED,
        "earlier": (mark & EARLIER) // EARLIER,
        "offered": (mark & OFFERED) // OFFERED,
    }
    worth = sheet.problem.serving[request] + vector.score(facts, len(request), RUN_TERMS)
    return np.where(vector.judge(facts, len(request)), worth, -1)


def _best(
    sheet: Sheet, prices: Ints, above: Ints, k: int, request: Ints, worker: Ints, value: Ints
) -> tuple[Ints, Ints, Ints]:
    """Of each request's pairs the k best that are worth more than `above`."""
    net = value - prices[worker]
    more = np.flatnonzero(net > above[request])
    order = more[np.lexsort((sheet.keys[worker[more]], -net[more], request[more]))]
    nth = np.arange(len(order)) - np.searchsorted(request[order], request[order])
    kept = order[nth < k]
    return request[kept], worker[kept], value[kept]
