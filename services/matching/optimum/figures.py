"""Any plan told in figures: served and waited by whatever requests are alike in, workers by load, points. No solver in it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from services.matching.optimum.check import worth
from services.matching.optimum.problem import NONE, Problem
from services.matching.ranking.arrays import Ints

LOAD_STEPS = 10


class Share(NamedTuple):
    """Of the requests alike in something: how many asked and were served; days waited until now, summed, the upper median
    and the longest."""

    key: Any
    asked: int
    served: int
    waited_days_served: int
    waited_days_unserved: int
    longest_days_unserved: int
    median_days: int
    longest_days: int

    @property
    def served_percent(self) -> int:
        """Rounded down."""
        return 100 * self.served // self.asked


def shares(assigned: Ints, key: Any, waited_days: Ints) -> list[Share]:
    """One a key (county, group, urgency: `key[r]`, numbers or texts), ascending."""
    keys, which, asked = np.unique(key, return_inverse=True, return_counts=True)
    served, many = assigned != NONE, len(keys)
    longest = np.zeros(many, np.int64)
    np.maximum.at(longest, which[~served], waited_days[~served])
    in_order = waited_days[np.lexsort((waited_days, which))]
    ends = np.cumsum(asked)

    def total(of: Ints, chosen: Ints) -> Ints:
        found = np.zeros(many, np.int64)
        np.add.at(found, which[chosen], of[chosen])
        return found

    columns = (
        keys,
        asked,
        total(np.ones(len(which), np.int64), served),
        total(waited_days, served),
        total(waited_days, ~served),
        longest,
        in_order[ends - asked + asked // 2],
        in_order[ends - 1],
    )
    return [Share(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def given(problem: Problem, assigned: Ints) -> Ints:
    """How many places each worker gives in the plan."""
    return np.bincount(assigned[assigned != NONE], minlength=len(problem.workers))


def loads(problem: Problem, assigned: Ints) -> Ints:
    """How many workers have a load of 0-9, 10-19, ... 90-99 % of their capacity after the plan, and of 100 % or more."""
    rows = problem.workers.rows
    capacity = rows["capacity"].astype(np.int64)
    load = capacity - rows["free"] + given(problem, assigned)
    step = np.clip(LOAD_STEPS * load // np.maximum(capacity, 1), 0, LOAD_STEPS)
    return np.bincount(step[capacity > 0], minlength=LOAD_STEPS + 1)


def full(problem: Problem, assigned: Ints) -> int:
    """How many workers who had a free place have none left."""
    return int(((problem.free > 0) & (given(problem, assigned) >= problem.free)).sum())


def points(problem: Problem, assigned: Ints) -> int:
    """What an assignment is worth by serving and score alone, without bands: by which plans of two policies compare."""
    served = np.flatnonzero(assigned != NONE)
    return int(worth(problem, served, assigned[served])[2].sum())
