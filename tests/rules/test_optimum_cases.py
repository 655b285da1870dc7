"""Hard cases of the optimum: county lines, one speaker of a language, conflicts, scores at their bounds, Jinmen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from banyan.kernel.codes import CODES
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.check import OPTIMAL, check
from services.matching.optimum.problem import NAMED, NONE, Problem
from services.matching.optimum.solution import Solution
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Workers
from services.matching.ranking.figures import POINTS_LIMIT
from services.matching.ranking.measures import CONFLICT, EXCLUDED, FIGURE_NAMES
from tests.optimum import all_pairs, crowded, repeated

JINMEN, CITY, PROVINCE = 350527000000, 350500000000, 350000000000
SIGN = 1 << list(CODES["language"]).index("sign")


def proved(problem: Problem) -> Solution:
    """The optimum, which the product's own verifier adds up."""
    found = solve(problem)
    assert check(problem, Certificate.of(problem, found)).status == OPTIMAL
    return found


def easy(*, requests: int = 30, workers: int = 400) -> Problem:
    """A small day on which no rule but field and distance stands in the way."""
    problem = crowded(8, requests=requests, workers=workers)
    for name in ("languages_needed", "sex_wanted", "min_level", "slots_wanted", "registration_needed"):
        problem.demand[name] = 0
    problem.demand["cross_area_allowed"] = 1
    problem.workers.rows["cross_area"] = 1
    problem.workers.rows["free"] = 1
    problem.demand["limit_m"] = 60_000
    return replace(problem, named=problem.named[:0])


def test_a_county_without_towns_and_pairs_across_lines_only_where_both_sides_allow_it() -> None:
    problem = easy()
    problem.lines[:] = 0
    problem.lines[:, :3] = JINMEN, CITY, PROVINCE
    rows = problem.workers.rows
    rows["area"] = np.where(np.arange(len(rows)) % 3 == 0, JINMEN, 350102000000)
    home = rows["area"] == JINMEN
    everywhere = proved(problem)
    assert (~home[everywhere.assigned[everywhere.assigned != NONE]]).any(), "workers of elsewhere help where they may"
    for name, column in (("cross_area", rows), ("cross_area_allowed", problem.demand)):
        column[name] = 0
        served = proved(replace(problem)).assigned
        assert (served != NONE).any() and home[served[served != NONE]].all()
        column[name] = 1
    rows["area"] = CITY
    rows["cross_area"] = 0
    assert proved(replace(problem)).served == everywhere.served, "who covers the city covers its counties"


def test_the_one_speaker_of_a_language_goes_where_it_is_needed_most() -> None:
    problem = easy()
    pairs = all_pairs(problem)
    speaker = int(np.bincount(pairs.worker).argmax())
    able = pairs.request[pairs.worker == speaker]
    problem.workers.rows["languages"] &= ~SIGN
    problem.workers.rows["languages"][speaker] |= SIGN
    problem.demand["languages_needed"][able] = SIGN
    problem = replace(problem)
    found, value = proved(problem), {r: v for r, w, v in zip(*all_pairs(problem), strict=True) if w == speaker}
    got = np.flatnonzero(found.assigned == speaker)
    assert len(able) > 1 and set(able.tolist()) == set(value)
    assert got.tolist() and value[int(got[0])] == max(value.values())
    assert (found.assigned[np.setdiff1d(able, got)] == NONE).all(), "nobody else is understood there"


def test_whom_a_household_named_as_conflict_or_left_out_never_comes() -> None:
    problem = easy()
    before = proved(problem)
    served = np.flatnonzero(before.assigned != NONE)
    named = np.zeros(len(served), NAMED)
    named["request"], named["worker"] = served, before.assigned[served]
    named["mark"] = np.where(np.arange(len(served)) % 2, CONFLICT, EXCLUDED)
    after = proved(replace(problem, named=named))
    assert len(served) and (after.assigned[served] != before.assigned[served]).all()
    assert after.objective < before.objective


def test_points_at_their_bounds_are_added_up_exactly() -> None:
    problem = easy()
    for name in FIGURE_NAMES:
        problem.demand[name] = POINTS_LIMIT
    most = proved(replace(problem, serving=np.full(len(problem), (1 << 40) - 1)))
    for name in FIGURE_NAMES:
        problem.demand[name] = 0
    least = proved(replace(problem, serving=np.ones(len(problem), np.int64)))
    assert most.served == least.served == least.objective, "all that counts then is how many are served"
    assert most.objective > most.served * ((1 << 40) - 1)


def test_a_million_identical_requests_get_every_place_within_reach_and_the_rest_is_proved_to_get_none() -> None:
    whole = easy(requests=60)
    chosen = int(np.bincount(all_pairs(whole).request).argmax())
    problem = repeated(whole, np.full(1_000_000, chosen))
    value = all_pairs(whole.part(np.array([chosen]))).value
    found = proved(problem)
    assert found.served == len(value) > 1 and found.objective == int(value.sum())


def test_ties_everywhere_are_broken_alike_each_time_and_nobody_is_left_who_could_be_served() -> None:
    problem = easy(requests=50, workers=120)
    for column in (problem.demand, problem.lines, problem.serving):
        column[:] = column[0]
    rows = problem.workers.rows
    rows[:] = rows[0]
    rows["worker"] = np.arange(len(rows))
    rows["x"], rows["y"] = problem.demand["x_wanted"][0], problem.demand["y_wanted"][0]
    problem.workers.proficiency[:] = 2
    problem.workers.rows["capacity"], rows["free"] = 3, 1
    for many in (30, 50):
        tied = replace(
            problem, workers=Workers(problem.workers.ids[:many], rows[:many], problem.workers.proficiency[:many])
        )
        found, again = proved(tied), solve(replace(tied))
        assert found.served == many and len(set(all_pairs(tied).value.tolist())) == 1
        assert (found.assigned == again.assigned).all() and (found.prices == again.prices).all()


def test_it_is_what_highs_finds_where_workers_have_several_places() -> None:
    for seed in (1, 2, 3):
        problem = crowded(seed, requests=80, workers=700)
        rows = problem.workers.rows
        rows["free"] = np.minimum(rows["capacity"], np.random.default_rng(seed).integers(0, 4, len(rows)))
        problem = replace(problem)
        pairs = all_pairs(problem)
        at, ones = np.arange(len(pairs)), np.ones(len(pairs))
        shape = (len(problem) + len(rows), len(pairs))
        within = csr_matrix(
            (ones.repeat(2), (np.column_stack([pairs.request, len(problem) + pairs.worker]).ravel(), at.repeat(2))),
            shape,
        )
        most = np.concatenate([np.ones(len(problem)), problem.free])
        highs = linprog(-pairs.value, A_ub=within, b_ub=most, bounds=(0, 1), method="highs-ds")
        assert proved(problem).objective == round(-highs.fun)
