"""Who is served and who waits, and what a fairer plan costs: figures for people to decide by. Whole numbers throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from services.matching.optimum.figures import LOAD_STEPS, Share, loads, points, shares
from services.matching.optimum.problem import Problem
from services.matching.optimum.solution import Solution
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints

STEP_POINTS = 50
"""A bonus is found to so many points."""
Solve = Callable[[Problem], Solution]


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
    return sum(int(problem.demand[name].max()) for name in (*names, "slots_most_points", "offered_points"))
