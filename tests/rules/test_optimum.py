"""The optimum over all pairs, against another solver, against its own proof, and in hard cases. Seeds are printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from services.identity.data import villages
from services.matching.optimum.__main__ import main as run
from services.matching.optimum.__main__ import no_worse
from services.matching.optimum.certificate import Certificate, read, write_inputs
from services.matching.optimum.check import check
from services.matching.optimum.peers import urgent_first
from services.matching.optimum.problem import Band, Problem
from services.matching.optimum.result import RESULT, Result
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solution import BOUNDED, OPTIMAL, Solution, bound
from services.matching.optimum.solve import solve
from services.matching.optimum.sweep import Pairs, compiled, sweep
from services.matching.typhoon.day import day
from tests.optimum import all_pairs, crowded, repeated

SEEDS = (1, 2, 3)


def prove(problem: Problem, found: Solution, pairs: Pairs) -> None:
    """Adds the certificate up over all pairs: feasible, within places, no pair worth more than the prices say."""
    worth = {(r, w): v for r, w, v in zip(*(column.tolist() for column in pairs), strict=True)}
    served = [(r, w) for r, w in enumerate(found.assigned.tolist()) if w >= 0]
    assert all(pair in worth for pair in served), "only feasible pairs are used"
    taken = np.bincount([w for _, w in served], minlength=len(problem.workers))
    assert (taken <= problem.free).all(), "nobody gives more places than are free"
    start, cost = problem.places
    charged = sum(int(cost[start[w] : start[w] + many].sum()) for w, many in enumerate(taken.tolist()) if many)
    assert found.objective == sum(worth[pair] for pair in served) - charged
    assert (found.prices >= 0).all() and (found.surplus >= 0).all()
    assert (pairs.value <= found.surplus[pairs.request] + found.prices[pairs.worker]).all(), "no pair is worth more"
    assert found.bound == bound(problem, found.prices, found.surplus) == found.objective
    assert found.status == OPTIMAL


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_as_good_as_another_solver_finds_over_all_pairs(seed: int) -> None:
    problem = crowded(seed)
    pairs, found = all_pairs(problem), solve(problem)
    prove(problem, found, pairs)
    table = np.zeros((len(problem), len(problem.workers) + len(problem)))
    table[pairs.request, pairs.worker] = pairs.value
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert found.objective == int(table[rows, columns].sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_compiled_and_the_plain_sweep_give_the_same_pairs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if compiled() is None:
        pytest.skip("numba is not installed")
    monkeypatch.setattr("services.matching.optimum.sweep.CHUNK_LEAST", 7)  # so that the cores share even so few
    problem = crowded(seed)
    prices = np.random.default_rng(seed).integers(0, 25_000, len(problem.workers))
    above = np.random.default_rng(seed).integers(0, 20_000, len(problem))
    for k in (1, 5, 40):
        one, other = (sweep(Sheet(problem), prices, above, k, plain=plain) for plain in (False, True))
        assert len(one) and all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_places_that_cost_more_as_a_load_grows_are_part_of_the_optimum(seed: int) -> None:
    bands = (Band(30, 300), Band(60, 900), Band(90, 4_000))
    problem = day(villages(), 150, seed, size=1_500).problem
    problem = replace(problem, bands=bands)
    prove(problem, solve(problem), all_pairs(problem))


def test_nobody_free_serves_nobody_and_proves_it() -> None:
    problem = crowded(1)
    problem.workers.rows["free"] = 0
    found = solve(problem)
    assert (found.served, found.objective, found.bound, found.status) == (0, 0, 0, OPTIMAL)


def test_one_worker_for_all_takes_the_worthiest_requests() -> None:
    problem = crowded(2, requests=40)
    rows, first = problem.workers.rows, int(np.bincount(all_pairs(problem).worker).argmax())
    rows["free"] = np.where(np.arange(len(rows)) == first, 2, 0)
    rows["capacity"] = np.maximum(rows["capacity"], 2)
    problem = replace(problem)
    pairs, found = all_pairs(problem), solve(problem)
    prove(problem, found, pairs)
    assert found.objective == sum(sorted(pairs.value.tolist(), reverse=True)[:2])


def test_the_same_request_many_times_is_served_as_often_as_there_are_places_and_always_alike() -> None:
    whole = crowded(3, requests=60)
    chosen = int(np.bincount(all_pairs(whole).request).argmax())
    many = 300
    problem = repeated(whole, np.full(many, chosen))
    pairs, found, again = all_pairs(problem), solve(problem), solve(problem)
    prove(problem, found, pairs)
    assert found.served == min(many, len(np.unique(pairs.worker)))
    assert (found.assigned == again.assigned).all() and (found.prices == again.prices).all()


@pytest.mark.parametrize("bands", [(), (Band(30, 300), Band(60, 900), Band(90, 4_000))])
@pytest.mark.parametrize("seed", SEEDS)
def test_by_kinds_it_is_the_same_optimum_as_request_by_request(
    seed: int, bands: tuple[Band, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = day([code for code in villages() if code.startswith("3501")], 40, seed, size=300).problem
    problem = replace(repeated(whole, np.random.default_rng(seed).integers(0, 40, 1_200)), bands=bands)
    pairs, by_kinds = all_pairs(problem), solve(problem)
    monkeypatch.setattr("services.matching.optimum.solve.many_alike", lambda kinds: False)
    one_by_one = solve(problem)
    for found in (by_kinds, one_by_one):
        prove(problem, found, pairs)
    assert by_kinds.objective == one_by_one.objective and 0 < by_kinds.served < len(problem)
    assert by_kinds.rounds != one_by_one.rounds or by_kinds.pairs != one_by_one.pairs, "two ways"
    of_kind = problem.kinds()
    assert all(len(np.unique(by_kinds.surplus[of_kind.of == kind])) == 1 for kind in range(len(of_kind.first)))


def test_by_kinds_a_deadline_gives_a_bound_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.matching.optimum.solve_kinds.PAIRS_MOST", 4)
    problem = repeated(crowded(9, requests=30, workers=4_000), np.arange(1_200) % 30)
    best, early = solve(problem), solve(problem, deadline_s=0)
    assert early.objective < best.objective == best.bound < early.bound
    assert (early.status, best.status) == (BOUNDED, OPTIMAL)


def test_requests_are_of_one_kind_only_where_everything_is_alike_and_nobody_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = crowded(4)
    named = np.unique(whole.named["request"])
    free = np.setdiff1d(np.arange(len(whole)), named)
    numbers = np.concatenate([np.arange(len(whole)), named[:1], free[:1], free[:1]])
    problem = repeated(whole, numbers)
    kinds = problem.kinds()
    assert kinds.of.tolist() == [*range(len(whole)), len(whole), free[0], free[0]], "who names somebody is like nobody"
    assert kinds.many[free[0]] == 3 and kinds.many.sum() == len(numbers)
    told = np.arange(len(numbers)) % 2
    assert (problem.kinds(told).many <= 2).all(), "a further column tells apart"
    monkeypatch.setattr("services.matching.optimum.kinds._ODD", np.uint64(0))
    assert (problem.kinds().many == 1).all(), "where unlike rows have one mark, nothing is taken for alike"


def test_a_deadline_gives_the_best_so_far_with_a_bound_that_holds() -> None:
    problem = day(villages(), 2_000, 5, size=4_000).problem
    best, early = solve(problem), solve(problem, deadline_s=0)
    assert early.objective <= best.objective <= early.bound
    assert early.status == (OPTIMAL if early.objective == early.bound else BOUNDED)


@pytest.mark.parametrize("bands", [(), (Band(30, 400), Band(60, 2_000))])
def test_what_a_deadline_ended_gives_no_less_than_it_can_and_says_that_it_is_not_proved(
    bands: tuple[Band, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = replace(
        day([code for code in villages() if code.startswith("3501")], 600, 5, size=250).problem, bands=bands
    )
    monkeypatch.setattr(
        "services.matching.optimum.solve.FIRST_PAIRS", 1
    )  # so that places are left while some have nobody
    early = solve(problem, deadline_s=0)
    monkeypatch.setattr("services.matching.optimum.__main__.apart.begin", lambda: None)
    monkeypatch.setattr("services.matching.optimum.__main__.Run.left_s", lambda _: 0.0)
    write_inputs(tmp_path, problem)
    run(tmp_path, 0.0, 0)
    _, proof = read(tmp_path)
    assert check(problem, proof).status == BOUNDED == early.status
    assert (proof.objective, int((proof.assigned >= 0).sum())) > (early.objective, early.served)
    assert msgspec.json.decode((tmp_path / RESULT).read_bytes(), type=Result).first_come is None
    nothing = replace(early, assigned=np.full(len(problem), -1), objective=0)
    least = no_worse(problem, nothing)
    assert (least.assigned == urgent_first(problem)).all() and least.objective <= proof.objective
    assert check(problem, Certificate.of(problem, least)).status == BOUNDED, "its points are added up, bands too"


def test_a_problem_comes_back_from_its_arrays_and_any_change_changes_its_digest() -> None:
    problem = crowded(4, requests=20, workers=200)
    arrays = problem.arrays()
    assert Problem.of(arrays).digest == problem.digest
    for name in ("request_serving", "worker_free", "worker_proficiency", "request_lines"):
        changed = arrays | {name: arrays[name].copy()}
        changed[name].flat[0] += 1
        assert Problem.of(changed).digest != problem.digest


@pytest.mark.parametrize("bands", [(), (Band(50, 700),)])
def test_guessed_first_pairs_change_the_way_and_not_the_optimum(
    bands: tuple[Band, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = replace(day(villages(), 700, 6, size=900).problem, bands=bands)
    plain = solve(problem)
    monkeypatch.setattr("services.matching.optimum.solve.GUESSED", 100)
    guessed = solve(problem)
    prove(problem, guessed, all_pairs(problem))
    assert guessed.objective == plain.objective and guessed.pairs != plain.pairs
