"""Days of calls on the same workers: waiting brings everybody to the front, and who is open is so under any order. Seeds are fixed."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from services.identity.data import villages
from services.matching.optimum.check import worth
from services.matching.optimum.problem import Problem
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints
from services.matching.ranking.table import TERMS
from services.matching.typhoon.day import ON, figures, policy, serving
from services.matching.typhoon.fortnight import CASE_DAYS, Fortnight, Waits, as_it_comes, draw, play
from services.matching.typhoon.overtaking import NEVER, STEPS, WIDEST, ahead_days_most, overtaken
from services.matching.typhoon.shortage import apart, last_day_least, longest_wait_least, shortage

FUZHOU = tuple(code for code in villages() if code.startswith("3501"))


def best(problem: Problem, waited_days: Ints) -> Ints:
    """The optimum of each morning."""
    return solve(problem).assigned


@cache
def surge() -> tuple[Fortnight, Waits, Waits]:
    """A fortnight in one city under the optimum and as it comes."""
    of = draw(FUZHOU, 7, size=600, surge_calls=200, calls_a_day=20)
    return of, play(of, best), play(of, as_it_comes)


@cache
def crowded() -> Fortnight:
    """Two months on which every day more call than all places can take."""
    return draw(FUZHOU, 7, size=60, surge_calls=30, calls_a_day=30, days=60)


def waited(of: Fortnight, found: Waits, urgency: int) -> Ints:
    """Days waited by those so urgent that somebody could take."""
    return (found.served_on - of.came_on)[(of.servable > 0) & (of.urgency == urgency)]


def open_on(of: Fortnight, found: Waits, on: int) -> int:
    """How many whom somebody could take are open on the evening of a day."""
    return int(((of.servable > 0) & (of.came_on <= on) & (found.served_on > on)).sum())


def test_after_a_surge_everybody_who_can_be_served_is_and_the_urgent_wait_less_than_as_it_comes() -> None:
    of, optimum, first = surge()
    able = of.servable > 0
    for found in (optimum, first):
        assert (found.served_on[able] >= of.came_on[able]).all(), "nobody starves"
        assert (found.served_on[~able] < 0).all()
        for today in range(int(found.served_on.max()) + 1):
            busy = (found.served_on >= 0) & (found.served_on <= today) & (today - found.served_on < CASE_DAYS)
            given = np.bincount(found.served_by[busy], minlength=len(of.problem.workers))
            assert (given <= of.problem.free).all(), "nobody ever has more cases than places"
    assert waited(of, optimum, 3).max() < waited(of, first, 3).max()


def test_the_points_of_two_calls_with_one_worker_lie_no_wider_apart_than_the_bound_says() -> None:
    assert set(WIDEST) == {term.code for term in TERMS}, "a new term says how wide it is"
    of = surge()[0]
    request, worker, value = worth(of.problem, *of.able)
    score, most = value - of.problem.serving[request], np.zeros(len(of.problem.workers), np.int64)
    least = np.full(len(most), 1 << 40)
    np.maximum.at(most, worker, score)
    np.minimum.at(least, worker, score)
    assert 0 < (most - least).max() <= sum(widest(figures()) for widest in WIDEST.values())


def test_nobody_is_overtaken_by_more_days_than_the_figures_allow_though_places_are_short_for_months() -> None:
    of = crowded()
    envy = overtaken(of, play(of, best))
    bounds = [ahead_days_most(step) for step in range(STEPS)]
    assert bounds == [19, 4, NEVER, NEVER]
    assert (envy.ahead_days.max(axis=0) <= bounds).all() and (envy.ahead_days[:, 0] > 0).any()
    most = policy().at("serving_wait_days_most", ON)
    assert envy.age_days.max() > most, "beyond the most days that count, the old compete by score: docs/optimum.md"


def test_were_waiting_worth_nothing_it_would_be_seen() -> None:
    of = crowded()
    found = play(of, best, lambda urgency, waited_days: serving(urgency, 0 * waited_days))
    assert overtaken(of, found).ahead_days[:, 0].max() > ahead_days_most(0)


def test_as_it_comes_nobody_is_overtaken_but_the_urgent_stand_behind_the_less_urgent() -> None:
    of, optimum, first = surge()
    by_turn, by_worth = overtaken(of, first), overtaken(of, optimum)
    assert (by_turn.age_days == NEVER).all() and (by_turn.ahead_days == NEVER).all()
    assert by_worth.below.sum() < by_turn.below.sum()


def by_hand(of: Fortnight, on: int) -> int:
    """The least open calls of a day, by trying every way to share the calls out; each worker takes theirs as they came."""
    came = np.flatnonzero((of.servable > 0) & (of.came_on <= on)).tolist()
    able = [[NEVER, *of.able[1][of.able[0] == r].tolist()] for r in came]
    most = 0
    for shared in itertools.product(*able):
        begun = 0
        for worker in {*shared} - {NEVER}:
            free_on = [0] * int(of.problem.free[worker])
            for r in (r for r, giver in zip(came, shared, strict=True) if giver == worker):
                day = max(int(of.came_on[r]), min(free_on))
                free_on[free_on.index(min(free_on))] = day + CASE_DAYS
                begun += day <= on
        most = max(most, begun)
    return len(came) - most


@pytest.mark.parametrize("seed", [1, 5, 7, 8, 9, 10])
def test_what_any_order_must_leave_open_is_what_trying_all_of_them_leaves(seed: int) -> None:
    of = draw(FUZHOU, seed, size=20, surge_calls=5, calls_a_day=2, days=6)
    of.problem.workers.rows["free"] = np.minimum(of.problem.workers.rows["free"], 1)
    found = [shortage(of, on).open for on in (0, 2, 4, 7, 12)]
    assert found == [by_hand(of, on) for on in (0, 2, 4, 7, 12)] and any(found)


def test_no_play_leaves_fewer_open_than_any_order_must_and_the_optimum_ends_when_it_can() -> None:
    of = crowded()
    optimum, first = play(of, best), play(of, as_it_comes)
    for on in range(0, 200, 20):
        assert shortage(of, on).open <= min(open_on(of, optimum, on), open_on(of, first, on))
    assert int(optimum.served_on.max()) == last_day_least(of) > int(of.came_on.max())
    longest = max(int(waited(of, optimum, urgency).max()) for urgency in range(STEPS))
    assert 0 < longest_wait_least(of) <= longest


def test_a_shortage_falls_apart_into_those_who_compete_for_the_same_workers() -> None:
    of = crowded()
    for on in (20, 66, last_day_least(of) - 1):
        whole, parts = shortage(of, on), apart(of, on)
        assert whole.open == sum(part.open for part in parts) > 0
        assert sorted(np.concatenate([part.calls for part in parts]).tolist()) == whole.calls.tolist()
        for part in parts:
            able = of.able[1][np.isin(of.able[0], part.calls)]
            assert set(able.tolist()) == set(part.workers.tolist()), "all who could take one of them"
            rounds = on // CASE_DAYS + 1
            assert part.open >= len(part.calls) - rounds * int(of.problem.free[part.workers].sum())
