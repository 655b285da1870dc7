"""What the same workers come to where each request is answered as it comes: the peer that the optimum is told against."""

from __future__ import annotations

import dataclasses

import numpy as np

from services.matching.optimum.problem import NONE, Problem
from services.matching.ranking import Figures, Index, Request
from services.matching.ranking.arrays import Ints
from services.matching.ranking.measures import CONFLICT, EARLIER, EXCLUDED, QUERY_NAMES


def first_come(problem: Problem, order: Ints, figures: Figures) -> Ints:
    """Each request in `order` takes the best worker, of all, who still has a place: the online ranking, one by one.

    `figures`: the points in force, the same for all. Answers each request's worker, or -1.
    """
    index = Index([], dataclasses.replace(figures))
    slots = {id: slot for slot, id in enumerate(problem.workers.ids)}
    current = {slot: problem.workers.worker(slot) for slot in range(len(problem.workers))}
    for worker in current.values():
        if worker.free > 0:
            index.add(worker)
    named = _named(problem)
    assigned = np.full(len(problem), NONE, np.int64)
    for r in order.tolist():
        found = index.rank(_request(problem, r, named.get(r, {}), figures), 1)
        if not found:
            continue
        slot = slots[found[0].worker_id]
        assigned[r] = slot
        current[slot] = dataclasses.replace(current[slot], load=current[slot].load + 1)
        if current[slot].free > 0:
            index.add(current[slot])
        else:
            index.remove(current[slot].id)
    return assigned


def _named(problem: Problem) -> dict[int, dict[int, list[str]]]:
    """request → mark → the workers' ids."""
    found: dict[int, dict[int, list[str]]] = {}
    for request, worker, mark in problem.named.tolist():
        for bit in (CONFLICT, EXCLUDED, EARLIER):
            if mark & bit:
                found.setdefault(request, {}).setdefault(bit, []).append(problem.workers.ids[worker])
    return found


def _request(problem: Problem, r: int, named: dict[int, list[str]], figures: Figures) -> Request:
    row = {name: int(problem.demand[name][r]) for name in QUERY_NAMES}
    far = row["limit_m"] > figures.limits_m[row["field_wanted"]]
    return Request(
        field=row["field_wanted"],
        x=row["x_wanted"],
        y=row["y_wanted"],
        line=tuple(code for code in problem.lines[r].tolist() if code),
        urgency=figures.far_urgency if far else 0,
        registration_needed=row["registration_needed"],
        languages_needed=row["languages_needed"],
        languages_wished=row["languages_wished"],
        sex_wanted=row["sex_wanted"],
        min_level=row["min_level"],
        slots_wanted=row["slots_wanted"],
        cross_area_allowed=row["cross_area_allowed"],
        conflicts=tuple(named.get(CONFLICT, ())),
        excluded=tuple(named.get(EXCLUDED, ())),
        earlier=tuple(named.get(EARLIER, ())),
    )
