"""The typhoon day: who comes first against the optimum, its figures, and the page that adds a county's proof up."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from services.identity.data import divisions, villages
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.check import near_pairs, worth
from services.matching.optimum.peers import first_come
from services.matching.optimum.problem import NONE
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints
from services.matching.typhoon import figures as told
from services.matching.typhoon.day import Day, day
from services.matching.typhoon.fortnight import as_it_comes, draw, play
from services.matching.typhoon.page import render
from services.matching.typhoon.waits import waits

NAMES = {d.code: d.name for d in divisions() if d.level == "county" and d.until_on is None}


@cache
def played() -> tuple[Day, Ints, Certificate]:
    """A short day: 400 requests and so few workers that not all can be served."""
    drawn = day(villages(), 400, 7, size=600)
    found = solve(drawn.problem)
    return drawn, first_come(drawn.problem, -drawn.waited_days), Certificate.of(drawn.problem, found)


def test_who_comes_first_takes_a_worker_who_may_and_nobody_stays_without_while_one_is_free() -> None:
    drawn, comer, _ = played()
    problem = drawn.problem
    pairs = [worth(problem, *block)[:2] for block in near_pairs(problem)]
    feasible = {pair for r, w in pairs for pair in zip(r.tolist(), w.tolist(), strict=True)}
    left = problem.free - np.bincount(comer[comer != NONE], minlength=len(problem.workers))
    assert (left >= 0).all()
    assert {(r, w) for r, w in enumerate(comer.tolist()) if w != NONE} <= feasible
    assert not [(r, w) for r, w in feasible if comer[r] == NONE and left[w] > 0]


def test_the_optimum_is_worth_more_and_the_figures_add_up() -> None:
    drawn, comer, proof = played()
    ways = {told.COMER: comer, told.BEST: proof.assigned}
    found = told.figures(drawn, ways, NAMES)
    for way, assigned in ways.items():
        served = int((assigned != NONE).sum())
        assert found["served"][way] == served
        for rows in ("urgency", "waited", "distance"):
            assert sum(row["served"][way] for row in found[rows]) == served
        assert sum(county["unserved"][way] for county in found["counties"]) == len(drawn.problem) - served
    r = np.flatnonzero(comer != NONE)
    assert proof.objective > int(worth(drawn.problem, r, comer[r])[2].sum())


@cache
def fortnight_told() -> dict[str, Any]:
    """A fortnight in Fuzhou under both ways, in figures."""
    some = [code for code in villages() if code.startswith("3501")]
    of = draw(some, 7, size=100, surge_calls=60, calls_a_day=20)
    optimum = play(of, lambda problem, waited: solve(problem).assigned)
    return waits(of, {told.COMER: play(of, as_it_comes), told.BEST: optimum}, NAMES)


def test_a_fortnights_figures_add_up_and_name_what_is_short() -> None:
    found = fortnight_told()
    assert (
        sum(row["calls"] for row in found["urgency"]) + found["never"] == found["calls"] == sum(found["calls_on_day"])
    )
    for way in (told.COMER, told.BEST):
        assert found["last_day"][way] >= found["last_day_least"] > len(found["calls_on_day"])
        longest = [row["ways"][way]["longest_days"] for row in found["urgency"]]
        assert max(longest) >= found["longest_wait_least"] == found["urgency"][0]["longest_wait_least"] > 0
        assert all(evening["open"][way] >= evening["open_least"] for evening in found["evenings"])
    week = next(each for each in found["evenings"] if each["after_days"] == found["scarce_after_days"])
    assert 0 < sum(part["open_least"] for part in found["scarce"]) <= week["open_least"]
    assert all(part["county"] in NAMES.values() and part["fields"] for part in found["scarce"])


def test_the_page_holds_one_county_whole_and_no_outside_address() -> None:
    drawn, comer, proof = played()
    proved = told.proved_county(drawn, proof, NAMES)
    served = [w for w in proved["requests"]["assigned"] if w >= 0]
    here = drawn.county == int(next(code for code, name in NAMES.items() if name == proved["name"]))
    assert len(served) == int((proof.assigned[here] != NONE).sum()), "every worker in use is among those shown"
    left = {int(code): int(((drawn.county == int(code)) & (proof.assigned == NONE)).sum()) for code in NAMES}
    assert len(drawn.problem) < told.PROVED_MOST and left[int(drawn.county[here][0])] == max(left.values())
    report: dict[str, Any] = told.figures(drawn, {told.COMER: comer, told.BEST: proof.assigned}, NAMES)
    more = {"seed": 7, "status": proof.status, "gap": 0, "pairs": 1, "objective": proof.objective, "bound": proof.bound}
    story = told.story(drawn, proof, comer, NAMES)
    assert (comer == NONE)[proof.assigned != NONE].any() and story["left_by_first_come"]
    assert sum(story["serving_terms"].values()) == story["serving"]
    assert story["surplus"] == story["serving"] + story["score"] - story["price"]
    assert all(other["short_by"] >= 0 for other in story["others"] if not other["broken"])
    assert story["able"] > 1, "there was a choice"
    assert len([other for other in story["others"] if not other["broken"]]) == min(story["able"] - 1, told.BEST_OTHERS)
    page = render(report | more | {"story": story, "seconds": {}, "steps": {}, "waits": fortnight_told()}, proved)
    assert "两周里谁等多久" in page and "人手最短缺的几类" in page
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page) and "全局最优" in page
