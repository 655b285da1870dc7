"""The optimum where many requests are one and the same: once a kind instead of once a request.

What is solved is the market of the kinds: a kind sends as many units as it has requests. The same columns are kept and
the same proof is added up as in `solve`; requests of a kind have one surplus, and who of them is served goes by number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.matching.optimum import flow
from services.matching.optimum.kinds import Kinds
from services.matching.optimum.net import FAR, compile_it
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solution import BOUNDED, OPTIMAL, Solution, Told, bound
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints

ALIKE = 1_000
"""Where a kind has more requests than this, or of more requests than this half are like an earlier one, kinds are solved."""
PAIRS, PAIRS_MOST = 12, 4_096
"""A kind gets so many better pairs a round, and one more for each request that it has, up to a most."""


def many_alike(kinds: Kinds) -> bool:
    """Whether so many requests are alike that they are to be solved by kinds."""
    return int(kinds.many.max(initial=0)) > ALIKE or len(kinds.of) > max(ALIKE, 2 * len(kinds.first))


def solve_kinds(problem: Problem, kinds: Kinds, *, over: Callable[[], bool], told: Told) -> Solution:
    """The best assignment of all, or the best so far when `over` says that time is; then with its bound over all pairs."""
    part = problem.part(kinds.first)
    sheet, none = Sheet(part), np.zeros(0, np.int64)
    pairs, used, rounds = Pairs(none, none, none), none, 0
    surplus, prices = np.zeros(len(part), np.int64), np.zeros(len(part.workers), np.int64)
    while True:
        better = _better(sheet, kinds, prices, surplus)
        told("priced", int(kinds.many[np.unique(better.request)].sum()), len(pairs))
        if not len(better) or (rounds and over()):
            break
        rounds += 1
        pairs = _joined(pairs, better)
        used = flow.uses(part, pairs, kinds.many)
        surplus, prices = _least(part, kinds, pairs, used)
    np.maximum.at(surplus, better.request, better.value - prices[better.worker])
    assigned = _given_out(kinds, pairs, used)
    taken = np.bincount(assigned[assigned != NONE], minlength=len(prices))
    objective = int((pairs.value * used).sum()) - problem.paid(taken)
    most = bound(problem, prices, surplus[kinds.of])
    status = OPTIMAL if most == objective else BOUNDED
    return Solution(assigned, prices, surplus[kinds.of], objective, most, status, rounds, len(pairs))


def _better(sheet: Sheet, kinds: Kinds, prices: Ints, surplus: Ints) -> Pairs:
    """Pairs worth more than the prices say, over all pairs; kinds of about as many requests are looked at together."""
    size = np.frexp(kinds.many)[1]
    found = [
        sweep(sheet, prices, surplus, min(PAIRS + 2 ** int(each), PAIRS_MOST), among=size == each)
        for each in np.unique(size)
    ]
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _joined(pairs: Pairs, better: Pairs) -> Pairs:
    columns = [np.concatenate(both) for both in zip(pairs, better, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Pairs(*(column[order] for column in columns))


def _least(part: Problem, kinds: Kinds, pairs: Pairs, used: Ints) -> tuple[Ints, Ints]:
    """The least prices that hold the pairs in use, and the surpluses with them; a price begins at the cost of the dearest
    place in use."""
    start, cost = part.places
    prices = np.zeros(len(part.workers), np.int64)
    taken = np.bincount(pairs.worker, used, len(prices)).astype(np.int64)
    busy = np.flatnonzero(taken)
    prices[busy] = cost[start[busy] + taken[busy] - 1]
    surplus = np.zeros(len(part), np.int64)
    first = np.searchsorted(pairs.request, np.arange(len(part) + 1))
    served = np.bincount(pairs.request, used, len(part)).astype(np.int64)
    settle_kinds(first, pairs.worker, pairs.value, used, served < kinds.many, surplus, prices)
    return surplus, prices


@compile_it
def settle_kinds(
    first: Ints, worker: Ints, value: Ints, used: Ints, waits: np.ndarray, surplus: Ints, prices: Ints
) -> None:
    """Raises prices until no kind gains by another worker than those that it uses; a kind some of which wait gains nothing."""
    settled = False
    while not settled:
        settled = True
        for kind in range(len(surplus)):
            gain = 0 if waits[kind] else FAR
            for pair in range(first[kind], first[kind + 1]):
                if used[pair] > 0:
                    gain = min(gain, value[pair] - prices[worker[pair]])
            surplus[kind] = gain
            for pair in range(first[kind], first[kind + 1]):
                least = value[pair] - gain
                if least > prices[worker[pair]]:
                    prices[worker[pair]] = least
                    settled = False


def _given_out(kinds: Kinds, pairs: Pairs, used: Ints) -> Ints:
    """With whom each request is, or NONE: of a kind those with the smallest numbers are served."""
    members = np.argsort(kinds.of, kind="stable")
    nth = np.arange(len(members)) - np.repeat(np.cumsum(kinds.many) - kinds.many, kinds.many)
    served = np.bincount(pairs.request, used, len(kinds.first)).astype(np.int64)
    assigned = np.full(len(members), NONE, np.int64)
    assigned[members[nth < np.repeat(served, kinds.many)]] = np.repeat(pairs.worker, used)
    return assigned
