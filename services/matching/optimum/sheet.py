"""A problem laid out for looking through all pairs: workers with a free place by (field, cell), requests by place.

A pair's value is what serving is worth plus its score. Two terms of the score are the worker's alone (proficiency and
free share); they are worked out once a set of figures, so that whole cells can be passed over by an upper bound. That
the bound holds for every pair is tested against the table itself.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from services.matching.optimum.problem import Problem
from services.matching.ranking import grid, vector
from services.matching.ranking.arrays import Ints, Rows
from services.matching.ranking.measures import FIGURE_NAMES
from services.matching.ranking.order import IdOrder
from services.matching.ranking.postings import Postings, aligned


class Layer(NamedTuple):
    """The requests under one set of figures, in the order of looking, and each posting's own points under it."""

    requests: Ints
    own: Ints


class Ordered(NamedTuple):
    """Postings in the order of looking: their places, what each has of its own, the most of each bucket (far below 0 for an
    empty one)."""

    place: Ints
    net: Ints
    best: Ints

    def by_place(self) -> Ints:
        """What each posting has of its own, by its place."""
        own = np.empty(len(self.net), np.int64)
        own[self.place] = self.net
        return own


class Sheet:
    """What a sweep reads. It is made once a problem; prices change, it does not."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        able = problem.free > 0
        proficiency = problem.workers.proficiency * able[:, None].astype(np.int8)
        rows = problem.workers.rows.copy()
        rows["worker"] = np.arange(len(rows))
        held = Postings(rows, proficiency)
        self.count = held.count
        ends = np.cumsum(self.count)
        self.runs = np.stack([ends - self.count, ends], axis=1)
        places = vector.places_of(held.runs)
        self.pool: Rows = aligned(len(held))
        self.pool[:] = held.pool[places]
        self.worker = self.pool["worker"].astype(np.int32)
        moved = np.zeros(max(1, held.used), np.int64)
        moved[places] = np.arange(len(places))
        self.where = np.where(held.where >= 0, moved[held.where], -1)
        self.keys = IdOrder(problem.workers.ids).keys
        self.named_start = np.searchsorted(problem.named["request"], np.arange(len(problem) + 1))

    @cached_property
    def layers(self) -> list[Layer]:
        """One a set of figures: all requests of a province, unless counties have figures of their own."""
        demand = self.problem.demand
        if not len(demand):
            return []
        table = np.stack([demand[name] for name in FIGURE_NAMES], axis=1)
        sets, which = np.unique(table, axis=0, return_inverse=True)
        order = np.lexsort(
            (demand["x_wanted"] // grid.CELL_M, demand["y_wanted"] // grid.CELL_M, demand["field_wanted"])
        )
        return [Layer(order[which[order] == number], self.own(figures)) for number, figures in enumerate(sets)]

    def own(self, figures: Ints, rows: Rows | None = None) -> Ints:
        """The points of each posting, or of the rows given, that no request changes."""
        return vector.own(self.pool if rows is None else rows, dict(zip(FIGURE_NAMES, figures.tolist(), strict=True)))

    @cached_property
    def bucket(self) -> Ints:
        """The bucket of each posting."""
        return np.repeat(np.arange(len(self.runs)), self.count)

    def ordered(self, net: Ints) -> Ordered:
        """Each bucket's postings by what they have of their own, most first."""
        order = np.lexsort((-net, self.bucket))
        own = net[order]
        best, holds = np.full(len(self.runs), NOTHING, np.int64), self.count > 0
        best[holds] = own[self.runs[holds, 0]]
        return Ordered(order, own, best)

    def takes(self, row: Any, proficiency: Any) -> bool:
        """Whether a worker as they are now stands where the sheet has them: in the same cell and in the same fields."""
        at = np.flatnonzero(self.where[row["worker"]] >= 0)
        here = self.bucket[self.where[row["worker"]][at]]
        now = [grid.bucket(field, int(row["x"]), int(row["y"])) for field in np.flatnonzero(proficiency).tolist()]
        return here.tolist() == now

    def change(self, row: Any, proficiency: Any) -> Ints:
        """Writes a worker whom it `takes` over their postings; answers the places."""
        fields = np.flatnonzero(proficiency)
        places = self.where[row["worker"]][fields]
        self.pool[places] = row
        self.pool["proficiency"][places] = proficiency[fields]
        return places

    def order_anew(self, ordered: Ordered, figures: Ints, places: Ints) -> None:
        """Brings the buckets of changed postings in order again."""
        for bucket in self.bucket[places].tolist():
            first, last = self.runs[bucket].tolist()
            span = slice(first, last)
            own = self.own(figures, self.pool[span])
            order = np.argsort(-own, kind="stable")
            ordered.place[span], ordered.net[span] = first + order, own[order]
            ordered.best[bucket] = own[order[0]]


NOTHING = -(1 << 60)
