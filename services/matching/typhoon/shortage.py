"""Shortage 人手短缺: how many calls must be open on the evening of a day under any order whatever, and which they are.

A place that is given on a day is free again CASE_DAYS later. Whatever a worker's places began until a day could as well have
begun later, on that day or CASE_DAYS, or twice that, before it: the same cases, one after another, pushed to the end. So
calls and those days of each place are matched once, by a greatest flow (OR-Tools), and what it leaves open no order could
have served, though it knew every call beforehand. Where the flow is cut stands why: calls whose able workers all together
have fewer places than they are many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import max_flow
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.matching.ranking.arrays import Ints
from services.matching.typhoon.fortnight import CASE_DAYS, Fortnight

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Shortage:
    """`open`: calls that any order leaves open on the evening of the day; `calls` that compete for `workers`, all who could take
    them, and who cannot begin so many of them until then."""

    open: int
    calls: Ints
    workers: Ints


def shortage(of: Fortnight, on: int, among: Chosen | None = None) -> Shortage:
    """What must be open on the evening of day `on` of the calls that came until then and somebody could take; `among`: as if
    nobody else had called."""
    wanted = (of.servable > 0) & (of.came_on <= on) & (True if among is None else among)
    begun = (on - int(of.came_on[wanted].max(initial=0))) // CASE_DAYS + 1
    request, worker = _contested(of, wanted, begun * of.problem.free)
    calls, call = np.unique(request, return_inverse=True)
    givers, giver = np.unique(worker, return_inverse=True)
    rounds = on // CASE_DAYS + 1
    earliest = (on - of.came_on[request]) // CASE_DAYS  # that each call can have: rounds are counted back from `on`
    place = len(calls) + np.arange(len(givers) * rounds).reshape(-1, rounds)
    source, sink = len(calls) + place.size, len(calls) + place.size + 1
    arcs = (
        (np.full(len(calls), source), np.arange(len(calls)), np.ones(len(calls), np.int64)),
        (call, place[giver, earliest], np.ones(len(call), np.int64)),
        (place[:, 1:].ravel(), place[:, :-1].ravel(), np.full(place[:, 1:].size, len(calls))),
        (place.ravel(), np.full(place.size, sink), np.repeat(of.problem.free[givers], rounds)),
    )
    tail, head, room = (np.concatenate(side) for side in zip(*arcs, strict=True))
    flow = max_flow.SimpleMaxFlow()
    flow.add_arcs_with_capacity(tail.astype(np.int32), head.astype(np.int32), room)
    if flow.solve(source, sink) != flow.OPTIMAL:
        raise RuntimeError("a greatest flow always exists")
    short = np.zeros(sink + 1, np.bool_)
    short[flow.get_source_side_min_cut()] = True
    return Shortage(len(calls) - flow.optimal_flow(), calls[short[: len(calls)]], givers[short[place].any(axis=1)])


def _contested(of: Fortnight, wanted: Chosen, room: Ints) -> tuple[Ints, Ints]:
    """The pairs that a shortage can lie in: a worker who has room for all who could ask them takes those out of it, again and
    again."""
    left = wanted.copy()
    while True:
        asking = left[of.able[0]]
        request, worker = (side[asking] for side in of.able)
        ample = np.bincount(worker, minlength=len(room)) <= room
        if not ample[worker].any():
            return request, worker
        left[request[ample[worker]]] = False


def last_day_least(of: Fortnight, among: Chosen | None = None) -> int:
    """The earliest day on which the last of the calls could have begun, under any order."""
    came = of.came_on if among is None else of.came_on[among]
    low = high = int(came.max(initial=0))
    while shortage(of, high, among).open:
        low, high = high + 1, 2 * high + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if shortage(of, middle, among).open else (low, middle)
    return low


def longest_wait_least(of: Fortnight, among: Chosen | None = None) -> int:
    """Days that some call must wait, at the least, under any order: those who came until a day cannot all begin before the last
    of them can."""
    least = 0
    for came in np.unique(of.came_on).tolist():
        until = (of.came_on <= came) & (True if among is None else among)
        if shortage(of, came + least, until).open:
            least = last_day_least(of, until) - came
    return least


def apart(of: Fortnight, on: int) -> list[Shortage]:
    """The shortage of a day in parts that have no worker in common, most open calls first."""
    whole, many = shortage(of, on), len(of.problem)
    inside = np.isin(of.able[0], whole.calls)
    request, worker = (side[inside] for side in of.able)
    size = many + len(of.problem.workers)
    touching = coo_array((np.ones(len(request)), (request, many + worker)), shape=(size, size))
    part = connected_components(touching, directed=False)[1]
    found = []
    for number in np.unique(part[whole.calls]).tolist():
        calls, workers = whole.calls[part[whole.calls] == number], whole.workers[part[many + whole.workers] == number]
        found.append(Shortage(shortage(of, on, np.isin(np.arange(many), calls)).open, calls, workers))
    return sorted(found, key=lambda each: (-each.open, -len(each.calls)))
