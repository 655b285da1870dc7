"""A simulated fortnight: a surge, then ordinary days; who waits how long under a way of choosing. All of it is generated.

Each morning whoever is still open and whoever has called since is matched; waiting counts in the value. A case takes its
place for some days, then the place is free again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.matching.optimum.peers import first_come
from services.matching.optimum.problem import NAMED, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.sweep import sweep
from services.matching.ranking.arrays import Ints, Workers
from services.matching.typhoon.day import calls, land, serving, workers

DAYS, SURGE_DAYS, CASE_DAYS = 14, 3, 5
FOLLOWED_DAYS = 42
"""Nobody calls after the fortnight; those who are open are followed until so many days have passed in all."""
Choose = Callable[[Problem, Ints], Ints]
"""A problem and the days that each request has waited to who takes it (or -1)."""


@dataclass(frozen=True)
class Fortnight:
    """All calls of the fortnight as one problem; `came_on[r]` is the day. `servable`: somebody could take it if free."""

    problem: Problem
    came_on: Ints
    urgency: Ints
    servable: Ints


@dataclass(frozen=True)
class Waits:
    """`served_on[r]`: the day, or -1 where still open at the end, `served_by` the worker; `waited_days[r]`: until then, or
    until the end."""

    served_on: Ints
    served_by: Ints
    waited_days: Ints


def draw(villages: Sequence[str], seed: int, *, size: int, surge_calls: int, calls_a_day: int) -> Fortnight:
    """The calls of each day upon the same workers."""
    at = land(villages, seed)
    held, home = workers(at, size, seed)
    drawn = []
    for day in range(DAYS):
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
    return Fortnight(whole, np.repeat(np.arange(DAYS), sizes), urgency, _servable(whole))


def _servable(problem: Problem) -> Ints:
    """Whether any worker with a place passes every rule, on a day on which all places are free."""
    nobody = np.zeros(len(problem.workers), np.int64)
    pairs = sweep(Sheet(problem), nobody, np.zeros(len(problem), np.int64), 1)
    found = np.zeros(len(problem), np.int64)
    found[pairs.request] = 1
    return found


def play(of: Fortnight, choose: Choose) -> Waits:
    """The fortnight under one way of choosing."""
    problem, many = of.problem, len(of.problem)
    served_on, taken = np.full(many, -1, np.int64), np.full(many, -1, np.int64)
    for today in range(FOLLOWED_DAYS):
        busy = taken[(served_on >= 0) & (today - served_on < CASE_DAYS)]
        if today >= DAYS and not ((served_on < 0) & (of.servable > 0)).any():
            break
        rows = problem.workers.rows.copy()
        rows["free"] -= np.bincount(busy, minlength=len(rows)).astype(rows["free"].dtype)
        waiting = np.flatnonzero((served_on < 0) & (of.came_on <= today) & (of.servable > 0))
        waited = today - of.came_on[waiting]
        assigned = choose(_morning(of, rows, waiting, waited), waited)
        taken[waiting], served_on[waiting] = assigned, np.where(assigned >= 0, today, -1)
    return Waits(served_on, taken, np.where(served_on >= 0, served_on, FOLLOWED_DAYS) - of.came_on)


def _morning(of: Fortnight, rows: np.ndarray, waiting: Ints, waited: Ints) -> Problem:
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
        serving=serving(of.urgency[waiting], waited),
        named=named,
    )


def as_it_comes(problem: Problem, waited_days: Ints) -> Ints:
    """Whoever has waited longest chooses first."""
    return first_come(problem, -waited_days)
