"""The optimum over all feasible pairs, by columns: solve on the pairs kept, look through all pairs at the prices found,
keep what is worth more than the prices say, solve again, until nothing is. Only then is it called optimal.

The same problem gives the same answer; where several are equally good, which one is arbitrary but always the same.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from services.matching.optimum import flow, guess, net, paths
from services.matching.optimum.problem import Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solution import BOUNDED, OPTIMAL, Solution, Told, bound
from services.matching.optimum.solve_kinds import many_alike, solve_kinds
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints

FIRST_PAIRS, MORE_PAIRS = 16, 12
FEW = 6_000
"""Up to so many requests with better pairs are placed anew one by one; more are quicker solved as a whole."""
GUESSED, SHORT_PERCENT = 6_000, 30
"""From so many requests on, and so many for a hundred free places, guessed prices choose the first pairs."""
NO_PAIRS = Pairs(*(np.zeros(0, np.int64),) * 3)


def solve(
    problem: Problem, *, deadline_s: float | None = None, told: Told = lambda step, better, kept: None
) -> Solution:
    """The best assignment of all. After `deadline_s` seconds it ends with the best so far and its bound over all pairs."""
    until = time.monotonic() + deadline_s if deadline_s is not None else None
    kinds = problem.kinds()
    if many_alike(kinds):
        return solve_kinds(problem, kinds, over=lambda: _over(until), told=told)
    sheet = Sheet(problem)
    held = _first(problem, sheet, until)
    kept, rounds = len(held.pair_request), 0
    told("first", len(problem), kept)
    covered = Covered(problem)
    while True:
        better = covered.better(sheet, held)
        requests = np.unique(better.request)
        told("priced", len(requests), kept)
        if not len(requests) or _over(until):
            return _ended(problem, held, better, rounds, kept)
        rounds += 1
        held, kept = _with(problem, held, kept, better, requests)


class Covered:
    """Surpluses and prices at which every pair was looked at: it is kept, or worth no more. Only where one of them is lower
    now a pair can be worth more; FAR where nobody has looked yet, or not to the end."""

    def __init__(self, problem: Problem) -> None:
        self.surplus = np.full(len(problem), net.FAR)
        self.prices = np.full(len(problem.workers), net.FAR)

    def better(self, sheet: Sheet, held: net.Net) -> Pairs:
        """Pairs worth more than the prices say, over all pairs, up to MORE_PAIRS a request; they are to be kept."""
        fell = held.surplus < self.surplus
        cheaper = np.where(held.price < self.prices, held.price, net.FAR)
        found = [
            sweep(sheet, prices, held.surplus, MORE_PAIRS, among=among)
            for prices, among in ((held.price, fell), (cheaper, ~fell))
            if among.any() and (prices < net.FAR).any()
        ]
        better = Pairs(*(np.concatenate(column) for column in zip(*found, strict=True))) if found else NO_PAIRS
        whole = np.bincount(better.request, minlength=len(fell)) < MORE_PAIRS
        self.surplus, self.prices = np.where(whole, held.surplus, net.FAR), held.price.copy()
        return better


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _first(problem: Problem, sheet: Sheet, until: float | None) -> net.Net:
    """The optimum on first pairs: each request's best ones; where places are short, such as guessed prices choose."""
    short = 100 * len(problem) >= SHORT_PERCENT * int(problem.free.sum())
    if len(problem) >= GUESSED and short and not _over(until):
        columns = guess.first_columns(problem, sheet, lambda part: _priced(part, until), lambda: _over(until))
        return flow.solved(problem, columns)
    nothing = np.zeros(len(problem), np.int64)
    pairs = sweep(sheet, np.zeros(len(problem.workers), np.int64), nothing, FIRST_PAIRS)
    held = flow.net_of(problem, pairs, np.full(len(problem), net.NOBODY))
    paths.place_anew(held, np.argsort(-problem.serving, kind="stable"))
    return held


def _priced(part: Problem, until: float | None) -> tuple[Ints, Ints]:
    """Prices and surpluses of a smaller problem, solved the same way."""
    left = max(0.0, until - time.monotonic()) if until is not None else None
    found = solve(part, deadline_s=left)
    return found.prices, found.surplus


def _with(problem: Problem, held: net.Net, kept: int, better: Pairs, requests: Ints) -> tuple[net.Net, int]:
    """The optimum on the kept pairs and better ones; answers it and how many pairs it holds."""
    many = kept + len(better)
    if len(requests) > FEW:
        columns = (held.pair_request, held.pair_worker, held.pair_value)
        old = (column[:kept].astype(np.int64) for column in columns)
        joined = [np.concatenate(both) for both in zip(old, better, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        return flow.solved(problem, Pairs(*(column[order] for column in joined))), many
    held = net.roomy(held, pairs=many)
    held.pair_request[kept:many], held.pair_worker[kept:many] = better.request, better.worker
    held.pair_value[kept:many] = better.value
    net.link(held, np.arange(kept, many))
    paths.place_anew(held, requests[np.argsort(-problem.serving[requests], kind="stable")])
    return held, many


def _ended(problem: Problem, held: net.Net, better: Pairs, rounds: int, kept: int) -> Solution:
    """What was reached; a request with better pairs gains at most its best one, which the bound adds."""
    surplus = held.surplus.copy()
    np.maximum.at(surplus, better.request, better.value - held.price[better.worker])
    return Solution(
        assigned=held.mate.astype(np.int64),
        prices=held.price.copy(),
        surplus=surplus,
        objective=flow.objective(held),
        bound=bound(problem, held.price, surplus),
        status=BOUNDED if len(better) else OPTIMAL,
        rounds=rounds,
        pairs=kept,
    )


def filled(problem: Problem, found: Solution) -> Solution:
    """What a deadline ended, with the places that are left given to who has nobody, most worthy first; the bound stays."""
    start, cost = problem.places
    assigned = found.assigned.copy()
    taken = np.bincount(assigned[assigned >= 0], minlength=len(problem.workers))
    able = taken < problem.free
    prices = np.full(len(taken), net.FAR)
    prices[able] = cost[(start[:-1] + taken)[able]]  # of the next place
    pairs = sweep(Sheet(problem), prices, np.zeros(len(problem), np.int64), MORE_PAIRS, among=assigned < 0)
    first, added = np.searchsorted(pairs.request, np.arange(len(problem) + 1)), 0
    for r in np.argsort(-problem.serving, kind="stable").tolist():
        for at in range(first[r], first[r + 1]):
            w, value = int(pairs.worker[at]), int(pairs.value[at])
            place = start[w] + taken[w]
            if place < start[w + 1] and value > cost[place]:
                assigned[r], added = w, added + value - int(cost[place])
                taken[w] += 1
                break
    return replace(found, assigned=assigned, objective=found.objective + added)
