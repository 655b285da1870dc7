"""What people do instead, over the same pairs and places, so that the optimum is compared fairly: first come, urgent first, stable.

All three are deferred acceptance: each request asks its workers by the pair's score, the best first; a worker keeps the best
claims up to their free places. Where a claim is the turn, that is one request after another, each with the best worker who
has a place left. Where it is what the pair is worth, with urgency and waiting, no request and worker would rather have
each other. Every feasible pair counts, at the points of the batch; costs of places do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from services.matching.optimum.kinds import Kinds
from services.matching.optimum.net import compile_it
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints

LIST_PAIRS, GROWTH = 64, 4
"""Pairs in a request's list at first; who comes to the end of a full one gets one so many times as long."""
A_PART = 20_000
"""So many requests have their turns together: only their lists are held."""


def first_come(problem: Problem, arrived: Ints, over: Callable[[], bool] = lambda: False) -> Ints:
    """Each request's worker or -1; the smallest `arrived` has the first turn, ties go by place in the problem.

    Where `over`, asked before each part of them, says that time is over, it raises TimeoutError."""
    return _in_turn(problem, np.argsort(arrived, kind="stable"), over)


def urgent_first(problem: Problem) -> Ints:
    """Each request's worker or -1; whom serving is worth most has the first turn."""
    return _in_turn(problem, np.argsort(-problem.serving, kind="stable"))


def stable(problem: Problem) -> Ints:
    """Each request's worker or -1; of all stable matchings the one that is best for every request."""
    return _defer(problem, None)


def _in_turn(problem: Problem, order: Ints, over: Callable[[], bool] = lambda: False) -> Ints:
    """A part of them after another: whoever comes later never takes the place of who came before."""
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order))
    assigned, left = np.full(len(order), NONE, np.int64), problem.free.copy()
    for start in range(0, len(order), A_PART):
        if over():
            raise TimeoutError
        some = np.sort(order[start : start + A_PART])
        assigned[some] = got = _defer(problem.part(some).with_places(left), -turn[some])
        left = left - np.bincount(got[got != NONE], minlength=len(left))
    return assigned


def _defer(problem: Problem, claim: Ints | None) -> Ints:
    """Deferred acceptance by a claim of each request, or by what each pair is worth; lists grow where they end. Requests that
    are one and the same share a list."""
    kinds = problem.kinds()
    sheet, size = Sheet(problem.part(kinds.first)), len(problem)
    most, above = np.full(len(kinds.first), LIST_PAIRS), np.zeros(len(kinds.first), np.int64)
    first = np.concatenate([[0], np.cumsum(problem.free)])
    holds, claims = np.full(first[-1], NONE, np.int64), np.zeros(first[-1], np.int64)
    assigned, asked = np.full(size, NONE, np.int64), np.zeros(size, np.int64)
    nothing = np.zeros(len(problem.free), np.int64)
    hopes = _hopes(problem, kinds, np.zeros(size, np.int64) if claim is None else claim)
    lists = sweep(sheet, nothing, above, LIST_PAIRS)
    while True:
        start = np.searchsorted(lists.request, np.arange(len(most) + 1))
        ask(start, lists.worker, lists.value, kinds.of, claim, hopes, first, holds, claims, assigned, asked)
        ended = np.zeros(len(most), bool)
        ended[kinds.of[hopes[(assigned[hopes] == NONE) & (asked[hopes] >= most[kinds.of[hopes]])]]] = True
        if not ended.any():
            return assigned
        most[ended] = GROWTH * int(most[ended].max())
        longer = sweep(sheet, nothing, above, int(most[ended][0]), among=ended)
        kept = ~ended[lists.request]
        joined = [np.concatenate([old[kept], new]) for old, new in zip(lists, longer, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        lists = Pairs(*(column[order] for column in joined))


def _hopes(problem: Problem, kinds: Kinds, claim: Ints) -> Ints:
    """The requests that ask at all: of a kind as many, those with the best claim, as there are free places in its field."""
    places = problem.free @ (problem.workers.proficiency > 0)
    order = np.lexsort((-claim, kinds.of))
    nth = np.arange(len(order)) - np.repeat(np.cumsum(kinds.many) - kinds.many, kinds.many)
    return np.sort(order[nth < places[problem.demand["field_wanted"][order]]])


@compile_it
def ask(
    start: Any, worker: Any, value: Any, kind: Any, claim: Any, hopes: Any, first: Any, holds: Any, claims: Any,
    assigned: Any, asked: Any,
) -> None:  # fmt: skip
    """Everybody without a worker asks on down the list of their kind, from where they are, until kept or at its end; of equal
    claims the smaller number is kept."""
    for begins in hopes:
        request = begins if assigned[begins] < 0 else -1
        while request >= 0:
            pair = start[kind[request]] + asked[request]
            if pair >= start[kind[request] + 1]:
                break
            asked[request] += 1
            giver, worst = worker[pair], first[worker[pair]]
            by = value[pair] if claim is None else claim[request]
            for place in range(first[giver], first[giver + 1]):
                if holds[place] < 0:
                    worst = place
                    break
                if claims[place] < claims[worst] or (claims[place] == claims[worst] and holds[place] > holds[worst]):
                    worst = place
            other = holds[worst]
            if other >= 0 and (claims[worst] > by or (claims[worst] == by and other < request)):
                continue
            holds[worst], claims[worst], assigned[request] = request, by, giver
            if other >= 0:
                assigned[other] = -1
            request = other
