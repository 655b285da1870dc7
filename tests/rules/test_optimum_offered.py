"""Offers out that a run may move: each moves only for as many points as the figure says, in batch, repair and live alike."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.identity.data import villages
from services.matching.optimum import plan
from services.matching.optimum.certificate import Certificate, write
from services.matching.optimum.check import OPTIMAL, check
from services.matching.optimum.earlier import Same
from services.matching.optimum.explain import explain
from services.matching.optimum.figures import points
from services.matching.optimum.live import Live
from services.matching.optimum.peers import first_come
from services.matching.optimum.plan import State
from services.matching.optimum.problem import NAMED, NONE, Problem
from services.matching.optimum.repair import repaired
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solve import solve
from services.matching.optimum.stand import Arrival
from services.matching.optimum.sweep import sweep
from services.matching.ranking.arrays import Ints
from services.matching.ranking.figures import POINTS_LIMIT
from services.matching.ranking.measures import OFFERED
from services.matching.typhoon.day import day

SECOND = Path(__file__).resolve().parents[2] / "docs" / "verify_matching.py"
LATE = 6
"""Requests that came after the offers went out."""


def city(seed: int) -> Problem:
    """A crowded day in one city in which places are short."""
    problem = day([code for code in villages() if code.startswith("3501")], 60, seed, size=150).problem
    problem.workers.rows["free"] = np.minimum(problem.workers.rows["free"], 2)
    problem.demand["field_wanted"] %= 2
    return replace(problem)


def out_with(problem: Problem, offers: Ints, least: int) -> Problem:
    """The problem in which these offers are out, and move for `least` points."""
    named = {(r, w): m for r, w, m in problem.named.tolist()}
    for r in np.flatnonzero(offers != NONE).tolist():
        named[r, int(offers[r])] = named.get((r, int(offers[r])), 0) | OFFERED
    demand = problem.demand.copy()
    demand["offered_points"] = least
    return replace(problem, demand=demand, named=np.array([(*pair, named[pair]) for pair in sorted(named)], NAMED))


def some_offers(problem: Problem) -> Ints:
    """Offers as they went out one after another, before the last requests came."""
    offers = first_come(problem, np.arange(len(problem)))
    offers[-LATE:] = NONE
    return offers


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_offer_out_is_moved_only_for_the_gain_that_is_asked(seed: int) -> None:
    problem = city(seed)
    offers = some_offers(problem)
    out = offers != NONE
    still = solve(out_with(problem, offers, POINTS_LIMIT))
    assert (still.assigned[out] == offers[out]).all(), "nobody is told of a change for less than a million points"
    moved = []
    for least in (0, 400, 4_000):
        marked = out_with(problem, offers, least)
        found = solve(marked)
        assert check(marked, Certificate.of(marked, found)).status == OPTIMAL
        moved.append(int((found.assigned[out] != offers[out]).sum()))
        assert points(problem, found.assigned) - points(problem, still.assigned) >= least * moved[-1]
    assert moved[0] > moved[1] >= moved[2], "the seeds have offers that would move for less than a day's waiting"


def test_both_forms_of_the_sweep_and_both_verifiers_count_it_and_the_explanation_names_it(tmp_path: Path) -> None:
    problem = city(4)
    offers = some_offers(problem)
    marked = out_with(problem, offers, 400)
    prices, above = np.zeros(len(marked.workers), np.int64), np.zeros(len(marked), np.int64)
    fused, plain = (sweep(Sheet(marked), prices, above, 5, plain=form) for form in (False, True))
    assert all((a == b).all() for a, b in zip(fused, plain, strict=True))
    proof = Certificate.of(marked, solve(marked))
    write(tmp_path, marked, proof)
    second = subprocess.run(
        [sys.executable, "-I", str(SECOND), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert second.stdout.startswith("OPTIMAL"), second.stderr
    forgotten = replace(proof, inputs=problem.digest)
    assert check(problem, forgotten).code == "objective", "without the marks the same plan is worth less"
    r = int(np.flatnonzero(offers != NONE)[0])
    told = {term.code: term.points for term in explain(marked, r, int(offers[r])).terms}
    assert told["offered"] == 400
    assert {term.code: term.points for term in explain(problem, r, int(offers[r])).terms}["offered"] == 0


def test_a_state_that_moved_on_is_repaired_with_the_offers_as_they_are_now() -> None:
    problem = city(5)
    offers = some_offers(problem)
    before = out_with(problem, offers, 400)
    answered = int(np.flatnonzero(offers != NONE)[0])
    other = next(w for w in np.unique(offers[offers != NONE]).tolist() if w != offers[answered])
    offers[answered] = other  # declined, and offered to somebody else meanwhile
    now = out_with(problem, offers, 400)
    ids = (list(problem.request_ids), list(problem.workers.ids))
    found = repaired(before, Certificate.of(before, solve(before)), now, Same.of(ids, ids), deadline_s=60.0)
    assert found is not None and found.objective == solve(now).objective
    assert check(now, Certificate.of(now, found)).status == OPTIMAL


def first_of(problem: Problem, many: int) -> Problem:
    """The problem of the first requests."""
    return replace(
        problem,
        request_ids=problem.request_ids[:many],
        demand=problem.demand[:many],
        lines=problem.lines[:many],
        serving=problem.serving[:many],
        named=problem.named[problem.named["request"] < many],
    )


def played(seed: int, least: int) -> int:
    """Requests come while all offers out may move; each answer is as good as solving afresh. Answers how many moved."""
    problem = out_with(city(seed), np.zeros(0, np.int64), least)
    came = len(problem) - LATE
    first = first_of(problem, came)
    live, moves = Live(first, solve(first), pairs_each=len(problem.workers)), 0
    live.offer_out([r for r in range(came) if live.worker_with(r) != NONE])
    for r in range(came, len(problem)):
        offers = np.array([live.worker_with(each) for each in range(r)])
        marked = first_of(out_with(problem, offers, least), r + 1)
        named = {w: mark for at, w, mark in problem.named.tolist() if at == r}
        facts = (problem.demand[r], problem.lines[r], int(problem.serving[r]))
        change = live.arrive(Arrival(problem.request_ids[r], *facts, named), movable=np.flatnonzero(offers != NONE))
        now = np.array([live.worker_with(each) for each in range(r + 1)])
        assert points(marked, now) == solve(marked).objective
        moves += sum(move.before != NONE for move in change.moves)
        live.offer_out([each for each in range(r + 1) if live.state[each] == State.OPEN and now[each] != NONE])
    return moves


def test_live_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "WITHIN_POINTS", 1 << 40)  # every pair is kept: solving afresh knows no more
    freely, for_a_day, never = (sum(played(seed, least) for seed in (1, 2)) for least in (0, 400, POINTS_LIMIT))
    assert freely > for_a_day >= never == 0
