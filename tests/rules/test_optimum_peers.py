"""What the optimum is compared with: turns are turns, stable is stable, and neither is worth more than the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from matching.games import HospitalResident

from services.matching.optimum import peers
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints
from tests.optimum import all_pairs, crowded, repeated

SEEDS = (4, 5)


def lists(problem: Problem) -> list[list[tuple[int, int]]]:
    """Each request's workers as (worker, value), in its own order."""
    pairs = all_pairs(problem)
    found: list[list[tuple[int, int]]] = [[] for _ in problem.request_ids]
    for r, w, value in zip(*(column.tolist() for column in pairs), strict=True):
        found[r].append((w, value))
    return found


def short_of_places(seed: int, monkeypatch: pytest.MonkeyPatch) -> Problem:
    """A crowded day on which many requests are alike, and lists so short that they have to grow."""
    monkeypatch.setattr(peers, "LIST_PAIRS", 2)
    monkeypatch.setattr(peers, "A_PART", 60)
    some = crowded(seed, requests=170, workers=600)
    problem = repeated(some, np.random.default_rng(seed).permutation(np.append(np.arange(170), np.arange(80) % 20)))
    problem.workers.rows["free"] *= 1 + np.arange(600) % 3
    problem.workers.rows["capacity"] = np.maximum(problem.workers.rows["capacity"], 3)
    return problem


def worth(problem: Problem, assigned: Ints) -> int:
    """What an assignment of feasible pairs is worth."""
    value = [dict(each) for each in lists(problem)]
    return sum(value[r][w] for r, w in enumerate(assigned.tolist()) if w != NONE)


@pytest.mark.parametrize("seed", SEEDS)
def test_in_turn_each_takes_the_best_that_is_left(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = short_of_places(seed, monkeypatch)
    arrived = np.random.default_rng(seed).permutation(len(problem))
    wanted, best = lists(problem), solve(problem)
    for order, found in (
        (np.argsort(arrived), peers.first_come(problem, arrived)),
        (np.argsort(-problem.serving, kind="stable"), peers.urgent_first(problem)),
    ):
        left, plain = problem.free.copy(), np.full(len(problem), NONE)
        for r in order.tolist():
            for w, _ in wanted[r]:
                if left[w]:
                    left[w], plain[r] = left[w] - 1, w
                    break
        assert (found == plain).all() and (found == NONE).any()
        assert worth(problem, found) < best.objective


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_would_rather_have_each_other(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = short_of_places(seed, monkeypatch)
    wanted, found = lists(problem), peers.stable(problem)
    value = [dict(each) for each in wanted]
    served: dict[int, list[tuple[int, int]]] = {}
    for r, w in enumerate(found.tolist()):
        if w != NONE:
            served.setdefault(w, []).append((value[r][w], -r))
    assert all(len(held) <= problem.free[w] for w, held in served.items())
    for r, mine in enumerate(wanted):
        for w, worth_of_it in mine:
            if w == found[r]:
                break
            held = served.get(w, [])
            assert len(held) == problem.free[w] and min(held) > (worth_of_it, -r), "they would rather have each other"
    assert worth(problem, found) < solve(problem).objective


@pytest.mark.parametrize("seed", SEEDS)
def test_of_stable_matchings_it_is_the_one_that_the_library_finds_for_the_requests(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = short_of_places(seed, monkeypatch)
    wanted = {r: [w for w, _ in mine if problem.free[w]] for r, mine in enumerate(lists(problem))}
    asked = {r: mine for r, mine in wanted.items() if mine}
    claims: dict[int, list[tuple[int, int]]] = {}
    for r, mine in enumerate(lists(problem)):
        for w, value in mine:
            claims.setdefault(w, []).append((-value, r))
    gives = {w: [r for _, r in sorted(held)] for w, held in claims.items() if problem.free[w]}
    game = HospitalResident.create_from_dictionaries(asked, gives, {w: int(problem.free[w]) for w in gives})
    theirs = np.full(len(problem), NONE)
    for worker, requests in game.solve(optimal="resident").items():
        theirs[[request.name for request in requests]] = worker.name
    assert (peers.stable(problem) == theirs).all() and (theirs != NONE).any()


def test_first_come_ends_between_two_parts_once_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, asked = short_of_places(SEEDS[0], monkeypatch), iter((False, False, True))
    with pytest.raises(TimeoutError):
        peers.first_come(problem, np.arange(len(problem)), lambda: next(asked))
    assert next(asked, None) is None, "asked before each part"
