"""Who is served, and what a fairer plan costs. Seeds are fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.identity.data import villages
from services.matching.optimum.fair import STEP_POINTS, outcome, with_floor
from services.matching.optimum.figures import loads, points, shares
from services.matching.optimum.problem import Band
from services.matching.optimum.solve import solve
from services.matching.typhoon.day import Day, day


def crowded_city(seed: int) -> Day:
    """A day in Fuzhou and Putian on which places are short."""
    some = [code for code in villages() if code.startswith(("3501", "3503"))]
    drawn = day(some, 150, seed, size=120)
    rows = drawn.problem.workers.rows
    rows["free"] = np.minimum(rows["free"], 1)
    return replace(drawn, problem=replace(drawn.problem))


def test_shares_count_by_key_who_was_served_and_how_long_everybody_waited() -> None:
    assigned, key, waited = np.array([4, -1, 2, -1, -1]), np.array([7, 7, 9, 9, 9]), np.array([3, 5, 1, 2, 8])
    one, other = shares(assigned, key, waited)
    assert tuple(one) == (7, 2, 1, 3, 5, 5, 5, 5) and one.served_percent == 50
    assert tuple(other) == (9, 3, 1, 1, 10, 8, 2, 8) and other.served_percent == 33


def test_loads_count_every_worker_and_who_is_full() -> None:
    drawn = crowded_city(1)
    rows, nobody = drawn.problem.workers.rows, np.full(150, -1)
    assert int(loads(drawn.problem, nobody).sum()) == len(rows)
    full = int((loads(drawn.problem, solve(drawn.problem).assigned) - loads(drawn.problem, nobody))[-1])
    assert full == len(np.unique(solve(drawn.problem).assigned)) - 1, "whoever gives their only free place is full"


@pytest.mark.parametrize(("seed", "percent"), [(1, 40), (2, 30)])
def test_a_floor_lifts_each_county_that_it_can_by_the_least_bonus_and_tells_its_cost(seed: int, percent: int) -> None:
    drawn = crowded_city(seed)
    problem, county = drawn.problem, drawn.county
    plain, floored = solve(problem), with_floor(problem, county, percent)
    assert points(problem, plain.assigned) == plain.objective
    before, after = (outcome(problem, each.assigned, county) for each in (plain, floored.solution))
    assert after.points <= before.points and after.worst_percent >= before.worst_percent
    low = {s.key for s in shares(floored.solution.assigned, county, county) if 100 * s.served < percent * s.asked}
    assert low == set(floored.below) == set(floored.cannot)
    assert floored.bonus, "the case has a county to lift"
    last = list(floored.bonus)[-1]
    less = problem.serving.copy()
    for key, value in floored.bonus.items():
        less[county == key] += value - (STEP_POINTS if key == last else 0)
    mine = county == last
    assert 100 * int((solve(replace(problem, serving=less)).assigned[mine] >= 0).sum()) < percent * int(mine.sum())


def test_bands_spread_the_load_and_never_gain_points() -> None:
    problem = day(villages(), 400, 3, size=700).problem
    plain, banded = solve(problem), solve(replace(problem, bands=(Band(50, 1_500), Band(75, 4_000))))
    assert points(problem, banded.assigned) <= plain.objective
    assert loads(problem, banded.assigned)[-1] <= loads(problem, plain.assigned)[-1]
