"""A simulated fortnight: a surge, then ordinary days; who waits how long under a way of choosing. All of it is generated.

Each morning whoever is still open and whoever has called since is matched; waiting counts in the value. A case takes its
place for some days, then the place is free again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from services.matching.optimum import check
from services.matching.optimum.peers import first_come
from services.matching.optimum.problem import NAMED, Problem
from services.matching.ranking.arrays import Ints, Workers
from services.matching.typhoon.day import calls, land, serving, workers

DAYS, SURGE_DAYS, CASE_DAYS = 14, 3, 5
FOLLOWED_DAYS = 1_000
"""Nobody calls after the last day, so whoever can be served is served some day; a play that does not end before is refused."""
OPEN = -1
"""In `served_on`: served on no day of the play."""
Choose = Callable[[Problem, Ints], Ints]
"""A problem and the days that each request has waited to who takes it (or -1)."""
Worth = Callable[[Ints, Ints], Ints]
"""Urgency and days waited to what serving is worth."""


@dataclass(frozen=True)
class Fortnight:
    """All calls of some days, 14 of them unless said otherwise, as one problem; `came_on[r]` is the day."""

    problem: Problem
    came_on: Ints
    urgency: Ints

    @cached_property
    def able(self) -> tuple[Ints, Ints]:
        """Every pair that passes every rule on a day on which all places are free, ascending by (request, worker)."""
        none = np.zeros(0, np.int64)
        found = [check.worth(self.problem, *block)[:2] for block in check.near_pairs(self.problem)]
        request, worker = (np.concatenate(side) for side in zip((none, none), *found, strict=True))
        order = np.lexsort((worker, request))
        return request[order], worker[order]

    @cached_property
    def servable(self) -> Ints:
        """1 for each call that somebody could take if free, 0 for one that no worker could ever take."""
        found = np.zeros(len(self.problem), np.int64)
        found[self.able[0]] = 1
        return found


@dataclass(frozen=True)
class Waits:
    """`served_on[r]`: the day, or OPEN where nobody could ever take it, `served_by` the worker."""

    served_on: Ints
    served_by: Ints


def draw(
    villages: Sequence[str], seed: int, *, size: int, surge_calls: int, calls_a_day: int, days: int = DAYS
) -> Fortnight:
    """The calls of each day upon the same workers."""
    at = land(villages, seed)
    held, home = workers(at, size, seed)
    drawn = []
    for day in range(days):
        surge = day < SURGE_DAYS
        many = surge_calls if surge else calls_a_day
        drawn.append(calls(at, held, home, many, seed + 100 * (day + 1), surge=surge))
    sizes = [len(each.problem) for each in drawn]
    named = [each.problem.named.copy() for each in drawn]
    for marks, before in zip(named, np.cumsum([0, *sizes]), strict=False):
        marks["request"] += before
    urgency = np.concatenate([each.urgency for each in drawn])
    whole = replace(
        drawn[0].problem,
        request_ids=[f"{day:02d}{name}" for day, each in enumerate(drawn) for name in each.problem.request_ids],
        demand=np.concatenate([each.problem.demand for each in drawn]),
        lines=np.concatenate([each.problem.lines for each in drawn]),
        serving=serving(urgency, np.zeros(len(urgency), np.int64)),
        named=np.concatenate(named),
    )
    return Fortnight(whole, np.repeat(np.arange(days), sizes), urgency)


def play(of: Fortnight, choose: Choose, worth: Worth = serving) -> Waits:
    """Day after day under one way of choosing, until everybody who can be served is; refuses (RuntimeError) a way that leaves
    somebody open for ever."""
    problem, many = of.problem, len(of.problem)
    served_on, taken = np.full(many, OPEN, np.int64), np.full(many, OPEN, np.int64)
    for today in range(FOLLOWED_DAYS):
        still = (served_on == OPEN) & (of.servable > 0)
        if not still.any():
            return Waits(served_on, taken)
        busy = taken[(served_on >= 0) & (today - served_on < CASE_DAYS)]
        rows = problem.workers.rows.copy()
        rows["free"] -= np.bincount(busy, minlength=len(rows)).astype(rows["free"].dtype)
        waiting = np.flatnonzero(still & (of.came_on <= today))
        waited = today - of.came_on[waiting]
        assigned = choose(_morning(of, rows, waiting, worth(of.urgency[waiting], waited)), waited)
        taken[waiting], served_on[waiting] = assigned, np.where(assigned >= 0, today, OPEN)
    raise RuntimeError(f"{int(still.sum())} calls were open after {FOLLOWED_DAYS} days")


def _morning(of: Fortnight, rows: np.ndarray, waiting: Ints, worth: Ints) -> Problem:
    """The problem of those who wait, with the places that are free."""
    whole = of.problem
    at = np.searchsorted(waiting, whole.named["request"])
    at[at == len(waiting)] = 0
    chosen = waiting[at] == whole.named["request"] if len(waiting) else np.zeros(len(at), bool)
    named = np.array(whole.named[chosen], NAMED)
    named["request"] = at[chosen]
    return replace(
        whole,
        workers=Workers(whole.workers.ids, rows, whole.workers.proficiency),
        request_ids=[whole.request_ids[r] for r in waiting.tolist()],
        demand=whole.demand[waiting],
        lines=whole.lines[waiting],
        serving=worth,
        named=named,
    )


def as_it_comes(problem: Problem, waited_days: Ints) -> Ints:
    """Whoever has waited longest chooses first."""
    return first_come(problem, -waited_days)
