"""Kept pairs to an optimal assignment on them: min-cost flow by OR-Tools, then the net with its least prices."""

from __future__ import annotations

from typing import Any

import numpy as np
from ortools.graph.python import min_cost_flow

from services.matching.optimum.net import FAR, NOBODY, UNMOVED, Net, settle
from services.matching.optimum.problem import Problem
from services.matching.optimum.sweep import Pairs
from services.matching.ranking.arrays import Ints


def assign(problem: Problem, pairs: Pairs) -> Ints:
    """Which pair each request uses, by its number, or NOBODY: the most value less the cost of places, on these pairs."""
    used = np.flatnonzero(uses(problem, pairs, np.ones(len(problem), np.int64)))
    by = np.full(len(problem), NOBODY, np.int64)
    by[pairs.request[used]] = used
    return by


def uses(problem: Problem, pairs: Pairs, many: Ints) -> Ints:
    """How often each pair is used where request r stands for `many[r]` alike.

    So many units flow from each request over pairs to workers and over places to the sink, or straight to the sink.
    """
    requests, workers = len(problem), len(problem.workers)
    giver, cost, number = _alike(problem)
    sink = requests + workers
    tail = [pairs.request, np.arange(requests), requests + giver]
    head = [requests + pairs.worker, np.full(requests, sink), np.full(len(giver), sink)]
    room = [many[pairs.request], many, number]
    unit = [-pairs.value, np.zeros(requests, np.int64), cost]
    flow = min_cost_flow.SimpleMinCostFlow()
    ends = (np.concatenate(side).astype(np.int32) for side in (tail, head))
    flow.add_arcs_with_capacity_and_unit_cost(*ends, np.concatenate(room), np.concatenate(unit))
    supply = np.zeros(sink + 1, np.int64)
    supply[:requests], supply[sink] = many, -many.sum()
    flow.set_nodes_supplies(np.arange(sink + 1, dtype=np.int32), supply)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"min-cost flow ended with {status}: every request may stay unserved, so this cannot be")
    used: Ints = flow.flows(np.arange(len(pairs), dtype=np.int32))
    return used


def _alike(problem: Problem) -> tuple[Ints, Ints, Ints]:
    """Free places that cost the same at the same worker: (worker, cost, how many)."""
    cost = problem.places[1]
    giver = np.repeat(np.arange(len(problem.workers)), problem.free)
    opens = np.ones(len(cost), bool)
    opens[1:] = (giver[1:] != giver[:-1]) | (cost[1:] != cost[:-1])
    first = np.flatnonzero(opens)
    return giver[first], cost[first], np.diff(np.append(first, len(cost)))


def lists(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Linked lists of the numbers that have each key: the first of each, and each one's next, ascending."""
    order = np.argsort(keys, kind="stable")
    first = np.full(size, NOBODY, np.int32)
    following = np.full(len(keys), NOBODY, np.int32)
    held = keys[order]
    same = held[1:] == held[:-1]
    following[order[:-1][same]] = order[1:][same]
    opens = np.ones(len(order), bool)
    opens[1:] = ~same
    first[held[opens]] = order[opens]
    return first, following


def net_of(problem: Problem, pairs: Pairs, by: Ints) -> Net:
    """The net of kept pairs with an assignment (a pair a request, or NOBODY); prices and surpluses are 0."""
    many, workers = len(problem), len(problem.workers)
    first_of_request, next_of_request = lists(pairs.request, many)
    first_of_worker, next_of_worker = lists(pairs.worker, workers)
    served = np.flatnonzero(by >= 0)
    mate = np.full(many, NOBODY, np.int32)
    mate[served] = pairs.worker[by[served]]
    head, after_served = lists(mate[served].astype(np.int64), workers)
    after, before = np.full(many, NOBODY, np.int32), np.full(many, NOBODY, np.int32)
    head[head >= 0] = served[head[head >= 0]]
    follows = after_served >= 0
    after[served[follows]] = served[after_served[follows]]
    before[served[after_served[follows]]] = served[follows]
    first_place, place_cost = problem.places

    def zeros(size: int, kind: Any = np.int64) -> Any:
        return np.zeros(size, kind)

    return Net(
        pair_request=pairs.request.astype(np.int32),
        pair_worker=pairs.worker.astype(np.int32),
        pair_value=pairs.value.astype(np.int64),
        pair_on=np.ones(len(pairs), np.bool_),
        next_of_request=next_of_request,
        next_of_worker=next_of_worker,
        first_of_request=first_of_request,
        first_of_worker=first_of_worker,
        mate=mate,
        by=by.astype(np.int32),
        before=before,
        after=after,
        surplus=zeros(many),
        head=head,
        used=np.bincount(mate[served], minlength=workers).astype(np.int32),
        places=problem.free.astype(np.int32),
        price=zeros(workers),
        first_place=first_place,
        place_cost=place_cost,
        distance=np.full(workers, FAR, np.int64),
        reached_by=np.full(workers, NOBODY, np.int32),
        done=zeros(workers, np.bool_),
        came_from=np.full(many, UNMOVED, np.int32),
        trail=zeros(many + 1, np.int32),
    )


def solved(problem: Problem, pairs: Pairs) -> Net:
    """The optimum on the kept pairs, with its least prices."""
    net = net_of(problem, pairs, assign(problem, pairs))
    if not settle(net):
        raise RuntimeError("the flow's assignment is not optimal on the pairs that it was given")
    return net


def objective(net: Net) -> int:
    """What the assignment is worth: values of pairs in use less the costs of places in use."""
    value = int(net.pair_value[net.by[net.by >= 0]].sum())
    paid = np.concatenate([[0], np.cumsum(net.place_cost)])
    first = net.first_place[:-1]
    return value - int((paid[first + net.used] - paid[first]).sum())
