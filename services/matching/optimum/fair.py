"""Who is served and who waits, and what a fairer plan costs: figures for people to decide by. Whole numbers throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from services.matching.optimum.check import worth
from services.matching.optimum.problem import Problem
from services.matching.optimum.solve import Solution, solve
from services.matching.ranking.arrays import Ints

STEP_POINTS = 50
"""A bonus is found to so many points."""
LOAD_STEPS = 10
Solve = Callable[[Problem], Solution]


class Share(NamedTuple):
    """Of the requests alike in something: how many asked and were served, and days waited until now, summed and longest."""

    key: int
    asked: int
    served: int
    waited_days_served: int
    waited_days_unserved: int
    longest_days_unserved: int

    @property
    def served_percent(self) -> int:
        """Rounded down."""
        return 100 * self.served // self.asked


def shares(assigned: Ints, key: Ints, waited_days: Ints) -> list[Share]:
    """One a key (county, group, urgency: `key[r]`), ascending."""
    keys, which = np.unique(key, return_inverse=True)
    served, many = assigned >= 0, len(keys)
    longest = np.zeros(many, np.int64)
    np.maximum.at(longest, which[~served], waited_days[~served])

    def total(of: Ints, chosen: Ints) -> Ints:
        found = np.zeros(many, np.int64)
        np.add.at(found, which[chosen], of[chosen])
        return found

    ones, everybody = np.ones(len(key), np.int64), np.ones(len(key), bool)
    columns = (
        keys,
        total(ones, everybody),
        total(ones, served),
        total(waited_days, served),
        total(waited_days, ~served),
        longest,
    )
    return [Share(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def loads(problem: Problem, assigned: Ints) -> Ints:
    """How many workers have a load of 0-9, 10-19, ... 90-99 % of their capacity after the plan, and of 100 % or more."""
    rows, given = problem.workers.rows, np.bincount(assigned[assigned >= 0], minlength=len(problem.workers))
    capacity = rows["capacity"].astype(np.int64)
    load = capacity - rows["free"] + given
    step = np.clip(LOAD_STEPS * load // np.maximum(capacity, 1), 0, LOAD_STEPS)
    return np.bincount(step[capacity > 0], minlength=LOAD_STEPS + 1)


def points(problem: Problem, assigned: Ints) -> int:
    """What an assignment is worth by serving and score alone, without bands: by which plans of two policies compare."""
    served = np.flatnonzero(assigned >= 0)
    return int(worth(problem, served, assigned[served])[2].sum())


class Outcome(NamedTuple):
    """What a policy comes to: points without bands or bonus, requests served, the worst county, full workers."""

    points: int
    served: int
    worst_county: int
    worst_percent: int
    full_workers: int


def outcome(problem: Problem, assigned: Ints, county: Ints) -> Outcome:
    """The plan's figures, by the problem that it is compared in (the plain one)."""
    worst = min(shares(assigned, county, np.zeros(len(problem), np.int64)), key=lambda each: (_ratio(each), each.key))
    return Outcome(
        points(problem, assigned),
        int((assigned >= 0).sum()),
        worst.key,
        worst.served_percent,
        int(loads(problem, assigned)[LOAD_STEPS]),
    )


def _ratio(share: Share) -> float:
    return share.served / share.asked


@dataclass(frozen=True)
class Floored:
    """A plan with a floor. `bonus`: points a request of a county has on top; `cannot`: counties that no bonus lifts to it;
    `below`: all that are below it in the end, those pushed back by others' bonus too."""

    solution: Solution
    bonus: dict[int, int] = field(default_factory=dict)
    cannot: tuple[int, ...] = ()
    below: tuple[int, ...] = ()
    solves: int = 1


def raised(problem: Problem, county: Ints, bonus: Mapping[int, int]) -> Problem:
    """The problem in which serving a request of a county is worth its bonus more."""
    more = np.zeros(len(problem), np.int64)
    for key, value in bonus.items():
        more[county == key] = value
    return replace(problem, serving=problem.serving + more)


def with_floor(
    problem: Problem, county: Ints, percent: int, *, solve: Solve = solve, over: Callable[[], bool] = lambda: False
) -> Floored:
    """The best plan in which every county that can be has at least so many percent of its requests served.

    The worst county below the floor gets a bonus a request, the least that holds (by halves, to STEP_POINTS; the higher
    it is, the more of them are served), then the next worst; each once, for counties that take places from each other
    could go on for ever. A county that even a bonus above everything does not lift stays as it is. Once time is `over`
    it ends as far as it came.
    """
    most = int(problem.serving.max()) + 2 * int(problem.demand["nearest_points"].max()) + _terms_most(problem)
    bonus, cannot, solves = dict[int, int](), list[int](), 0

    def plan(extra: dict[int, int]) -> Solution:
        nonlocal solves
        solves += 1
        return solve(raised(problem, county, extra))

    def holds(found: Solution, key: int) -> bool:
        mine = county == key
        return 100 * int((found.assigned[mine] >= 0).sum()) >= percent * int(mine.sum())

    found = plan(bonus)
    while True:
        below = [share for share in shares(found.assigned, county, county) if not holds(found, share.key)]
        left = [share for share in below if share.key not in (*bonus, *cannot)]
        if not left or over():
            return Floored(found, bonus, tuple(cannot), tuple(share.key for share in below), solves)
        worst = min(left, key=lambda each: (_ratio(each), each.key)).key
        low, high = 0, most
        lifted = plan(bonus | {worst: high})
        if not holds(lifted, worst):
            cannot.append(worst)
            continue
        while high - low > STEP_POINTS and not over():
            middle = (low + high) // 2
            tried = plan(bonus | {worst: middle})
            low, high, lifted = (low, middle, tried) if holds(tried, worst) else (middle, high, lifted)
        bonus[worst], found = high, lifted


def _terms_most(problem: Problem) -> int:
    """No score of a pair is more."""
    names = ("proficiency_3_points", "all_free_points", "earlier_points", "asked_language_points", "exact_level_points")
    return sum(int(problem.demand[name].max()) for name in (*names, "slots_most_points"))
