"""The numba kernel of the sweep: for each request the best pairs over ALL workers, whole cells passed over by a bound.

It calls the table's own formulas, as compiled for the ranking; what stands here is the walk and the bound. Imported only
by `sweep`.
"""

# mypy: disable-error-code="untyped-decorator, no-any-return, return-value"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from services.matching.ranking import formulas
from services.matching.ranking.fused import (
    MASK,
    SIZE,
    apart_m,
    first_cell,
    floor_sqrt,
    insert,
    judged,
    last_cell,
    most_points,
    njit,
    own_points,
    reach_in_row,
)
from services.matching.ranking.measures import OFFERED, ON_TOP

offered_points = njit(formulas.offered_points)


@njit
def net_value(p: Any, q: Any, mark: int, line: Any, serving: int, price: int) -> int:
    """What the pair is worth less the worker's price; far below 0 where a rule fails."""
    more = judged(p, q, mark, line)
    if more < 0:
        return -(1 << 60)
    offered = offered_points((mark & OFFERED) // OFFERED, q.offered_points)
    return serving + own_points(p, q) + more + offered - price


@njit
def look(
    pool: Any, runs: Any, worker: Any, keys: Any, order: Any, net: Any, most: Any, prices: Any, marks: Any, q: Any,
    line: Any, serving: int, above: int, best: Any,
) -> int:  # fmt: skip
    """Fills the best pairs of one request worth more than `above` after prices; answers how many."""
    held, floor, k = 0, above, len(best)
    rows_from, rows_to = first_cell(q.y_wanted, q.limit_m), last_cell(q.y_wanted, q.limit_m)
    around = rows_to - rows_from + 1 >= SIZE
    for row in range(rows_from, rows_to + 1):
        wide = reach_in_row(row, q.y_wanted, q.limit_m)
        if wide < 0:
            continue
        north = 0 if around else apart_m(row, q.y_wanted)
        base = (q.field_wanted * SIZE + (row & MASK)) * SIZE
        first, last = first_cell(q.x_wanted, wide), last_cell(q.x_wanted, wide)
        for column in range(first, last + 1):
            bucket = base + (column & MASK)
            east = 0 if last - first + 1 >= SIZE else apart_m(column, q.x_wanted)
            near = serving + most_points(q, min(floor_sqrt(north * north + east * east), q.limit_m))
            if near + most[bucket] <= floor:
                continue
            for at in range(runs[bucket, 0], runs[bucket, 1]):
                if near + net[at] <= floor:
                    break  # a bucket is read by what its postings have of their own, most first
                place = order[at]
                slot = np.int64(worker[place])
                mark = np.int64(marks[slot])
                if mark & ON_TOP:
                    continue  # looked at apart: what it has on top is in no bound
                value = net_value(pool[place], q, mark, line, serving, prices[slot])
                if value > floor:
                    held = insert(best, held, value, keys[slot], slot)
                    if held == k:
                        floor = max(above, best[k - 1, 0] - 1)
    return held


def build(stamp: int) -> Callable[..., Any]:
    """The compiled sweep. The stamp is closed over, so a kernel cached from other sources is never loaded."""

    @njit(cache=True, nogil=True)
    def sweep(
        pool: Any, runs: Any, worker: Any, where: Any, keys: Any, order: Any, net: Any, most: Any, prices: Any,
        asked: Any, demand: Any, lines: Any, serving: Any, above: Any, named: Any, named_start: Any, k: int,
    ) -> Any:  # fmt: skip
        if stamp < 0:
            k = 1
        many = len(asked)
        marks = np.zeros(len(prices), np.int8)
        counts = np.zeros(many, np.int64)
        room = max(1024, many * min(k, 4))
        found, worth = np.empty(room, np.int32), np.empty(room, np.int64)
        best = np.empty((k, 3), np.int64)
        total = 0
        for at in range(many):
            r = asked[at]
            q = demand[r]
            for n in range(named_start[r], named_start[r + 1]):
                marks[named[n].worker] = named[n].mark
            held = look(
                pool, runs, worker, keys, order, net, most, prices, marks, q, lines[r], serving[r], above[r], best
            )  # fmt: skip
            for n in range(named_start[r], named_start[r + 1]):
                slot, mark = np.int64(named[n].worker), np.int64(named[n].mark)
                place = where[slot, q.field_wanted]
                if (mark & ON_TOP) and place >= 0:
                    value = net_value(pool[place], q, mark, lines[r], serving[r], prices[slot])
                    if value > above[r]:
                        held = insert(best, held, value, keys[slot], slot)
                marks[slot] = 0
            if total + held > room:
                room = 2 * room + held
                more_found, more_worth = np.empty(room, np.int32), np.empty(room, np.int64)
                more_found[:total], more_worth[:total] = found[:total], worth[:total]
                found, worth = more_found, more_worth
            for n in range(held):
                found[total + n], worth[total + n] = best[n, 2], best[n, 0] + prices[best[n, 2]]
            total += held
            counts[at] = held
        return counts, found[:total], worth[:total]

    return cast(Callable[..., Any], sweep)
