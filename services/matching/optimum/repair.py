"""The optimum of a state that moved on, from the proof of the state before: what changed is played on the earlier plan,
change by change, and then all pairs are looked through. Where too much changed, whoever asks solves anew.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from services.matching.optimum.certificate import Certificate
from services.matching.optimum.earlier import Same
from services.matching.optimum.live import Live
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solution import OPTIMAL, Solution, bound
from services.matching.optimum.solve_kinds import many_alike
from services.matching.optimum.stand import Arrival, Joiner
from services.matching.optimum.sweep import sweep
from services.matching.ranking.arrays import POSTING, Ints

CHANGES_MOST, ONE_IN = 50, 400
"""So many changes, and one more for so many requests, are quicker repaired than solved anew."""
A_WORKER = 10
"""A worker who joins or changes takes as long as so many requests that come."""
_OF_A_WORKER = tuple(name for name in POSTING.names or () if name != "worker")


class Changes(NamedTuple):
    """Places in the problem as it is of who came or changed, and in the earlier one of who changed or is gone."""

    arrived: list[int]
    cancelled: list[int]
    joined: list[int]
    withdrawn: list[int]

    @property
    def many(self) -> int:
        """How much there is to do, in requests that come."""
        return len(self.arrived) + len(self.cancelled) + A_WORKER * (len(self.joined) + len(self.withdrawn))


def repaired(before: Problem, proof: Certificate, now: Problem, same: Same, *, deadline_s: float) -> Solution | None:
    """The proved optimum of the problem as it is; None where too much changed, where it is quicker solved by kinds, or where it
    was not proved in time."""
    if proof.status != OPTIMAL or before.bands != now.bands or many_alike(before.kinds()) or many_alike(now.kinds()):
        return None
    until = time.monotonic() + deadline_s
    changes = changed(before, now, same)
    if changes.many > CHANGES_MOST + len(now) // ONE_IN:
        return None
    live = Live(before, _solution(proof))
    request, worker = _played(live, now, same, changes)
    live.restate(deadline_s=max(0.0, until - time.monotonic()))
    return _proved(live, now, request, worker)


def changed(before: Problem, now: Problem, same: Same) -> Changes:
    """Who came, changed or is gone; a request whose marks changed has changed."""
    stayed = np.flatnonzero(same.worker != NONE)
    was = same.worker[stayed]
    alike = (before.workers.proficiency[was] == now.workers.proficiency[stayed]).all(axis=1)
    for name in _OF_A_WORKER:
        alike &= before.workers.rows[name][was] == now.workers.rows[name][stayed]
    kept = np.flatnonzero(same.request != NONE)
    old = same.request[kept]
    equal = (before.demand[old] == now.demand[kept]) & (before.serving[old] == now.serving[kept])
    equal &= (before.lines[old] == now.lines[kept]).all(axis=1)
    equal &= ~np.isin(kept, sorted(_marked_anew(before, now, same)))
    return Changes(
        arrived=_without(len(now), kept[equal]),
        cancelled=_without(len(before), old[equal]),
        joined=_without(len(now.workers), stayed[alike]),
        withdrawn=_without(len(before.workers), was[alike]),
    )


def _without(many: int, those: Ints) -> list[int]:
    left = np.ones(many, bool)
    left[those] = False
    return [int(place) for place in np.flatnonzero(left)]


def _marked_anew(before: Problem, now: Problem, same: Same) -> set[int]:
    """Requests that stayed and name workers otherwise than before; a mark of a worker who is gone counts for nothing."""
    requests, workers = (_inverse(column, many) for column, many in _columns(before, same))
    marks = {(int(requests[r]), int(workers[w]), m) for r, w, m in before.named.tolist()}
    old = {mark for mark in marks if NONE not in mark[:2]}
    new = {(r, w, m) for r, w, m in now.named.tolist() if same.request[r] != NONE}
    return {r for r, _, _ in old ^ new}


def _columns(before: Problem, same: Same) -> tuple[tuple[Ints, int], ...]:
    return (same.request, len(before)), (same.worker, len(before.workers))


def _inverse(places: Ints, many: int) -> Ints:
    """Where each of `many` is now."""
    found = np.full(many, NONE, np.int64)
    here = np.flatnonzero(places != NONE)
    found[places[here]] = here
    return found


def _solution(proof: Certificate) -> Solution:
    told = {name: getattr(proof, name) for name in ("assigned", "prices", "surplus", "objective", "bound", "status")}
    return Solution(**told, rounds=0, pairs=0)


def _played(live: Live, now: Problem, same: Same, changes: Changes) -> tuple[Ints, Ints]:
    """Plays all changes; answers under which number each request and each worker goes in the plan."""
    request, worker, stand = same.request.copy(), same.worker.copy(), live.stand
    for place in changes.cancelled:
        live.cancel(place)
    for place in changes.withdrawn:
        live.withdraw(place)
    for place in changes.joined:
        number = int(worker[place])
        id = f"+{place}" if number == NONE else stand.worker_ids[number]
        live.join(Joiner(id, now.workers.rows[place].copy(), now.workers.proficiency[place].copy()))
        worker[place] = live.worker_number(id)
    marks: dict[int, dict[int, int]] = {place: {} for place in changes.arrived}
    for r, w, mark in now.named.tolist():
        if r in marks:
            marks[r][int(worker[w])] = mark
    for place in changes.arrived:
        id = f"+{place}"
        live.arrive(Arrival(id, now.demand[place], now.lines[place], int(now.serving[place]), marks[place]))
        request[place] = live.request_number(id)
    return request, worker


def _proved(live: Live, now: Problem, request: Ints, worker: Ints) -> Solution | None:
    """The plan in the places of the problem as it is, if no pair of it is worth more than the prices say."""
    held, here = live.net, _inverse(worker, live.stand.workers)
    mate = held.mate[request].astype(np.int64)
    found = Solution(
        assigned=np.where(mate >= 0, here[mate], NONE),
        prices=held.price[worker].copy(),
        surplus=held.surplus[request].copy(),
        objective=live.objective,
        bound=bound(now, held.price[worker], held.surplus[request]),
        status=OPTIMAL,
        rounds=0,
        pairs=len(live.kept_pairs()),
    )
    better = sweep(Sheet(now), found.prices, found.surplus, 1)
    return None if len(better) or found.objective != found.bound else found
