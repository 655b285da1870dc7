"""The typhoon page's live check, run by V8 as the product wrote it, says of a county what the Python verifier says: of the true one,
and of one with any number changed."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from services.matching.optimum.certificate import Certificate
from services.matching.optimum.check import BOUNDED, OPTIMAL, WRONG, Verdict, check, near_pairs, worth
from services.matching.optimum.problem import NAMED, NONE, Problem
from services.matching.ranking import POSTING, TABLE_VERSION, Workers
from services.matching.ranking.measures import QUERY
from services.matching.typhoon.figures import WORKER_COLUMNS
from tests.typhoon import COUNTIES, made, numbers, opened, valued, written

HOLDS, FAILS = "证书成立", "证书不成立"
CERTIFICATE = [("workers", "price"), ("requests", "surplus"), ("requests", "assigned")]
AMOUNTS = [("workers", name) for name in ("free", "x", "y")] + [
    ("requests", name)
    for name in ("serving", *(QUERY.names or ()))
    if name.endswith(("serving", "_points", "x_wanted", "y_wanted"))
]
FACTS = [("workers", name) for name in WORKER_COLUMNS] + [("requests", name) for name in QUERY.names or ()]
FLAGS = ("registered", "registration_needed", "cross_area", "cross_area_allowed")


def certified(county: Any) -> tuple[Problem, Certificate]:
    """The same county as the Python verifier reads it: its workers, requests and numbers, summed up as they are."""
    has, asks = county["workers"], county["requests"]
    rows, demand = np.zeros(len(has["x"]), POSTING), np.zeros(len(asks["serving"]), QUERY)
    for name in WORKER_COLUMNS:
        rows[name] = has[name]
    for name in QUERY.names or ():
        demand[name] = asks[name]
    problem = Problem(
        workers=Workers([f"w{n}" for n in range(len(rows))], rows, np.array(has["proficiency"], np.int8)),
        request_ids=[f"r{n}" for n in range(len(demand))],
        demand=demand,
        lines=np.array(asks["line"], np.int64),
        serving=np.array(asks["serving"], np.int64),
        named=np.array([tuple(each) for each in county["named"]], NAMED),
    )
    assigned, price, surplus = (np.array(each, np.int64) for each in (asks["assigned"], has["price"], asks["surplus"]))
    return problem, Certificate(assigned, price, surplus, 0, 0, BOUNDED, problem.digest, TABLE_VERSION)


def verified(problem: Problem, said: Certificate) -> Verdict:
    """What the verifier adds the numbers up to, whatever sums were said of them."""
    found = check(problem, said)
    while found.status == WRONG and found.code in ("objective", "bound", "status"):
        sums = found.objective, found.bound
        said = replace(said, objective=sums[0], bound=sums[1], status=OPTIMAL if sums[0] == sums[1] else BOUNDED)
        found = check(problem, said)
    return found


def proves(problem: Problem, said: Certificate) -> bool:
    """Whether nobody in the county could be placed better at these prices: all that the bound is above the sum of the
    pairs is the price of places that are left here (other counties' requests have them)."""
    found = verified(problem, said)
    if found.status == WRONG:
        return False
    taken = np.bincount(said.assigned[said.assigned != NONE], minlength=len(problem.workers))
    return found.gap == int((said.prices * (problem.free - taken)).sum())


def test_the_true_county_holds_and_its_sums_are_the_verifiers() -> None:
    county = written()
    problem, said = certified(county)
    found = verified(problem, said)
    assert proves(problem, said) and found.served > 10 and (said.prices > 0).any()
    served = said.assigned[said.assigned != NONE]
    gained, paid = int(said.surplus.sum()), int(said.prices[served].sum())
    assert found.objective == gained + paid
    (text,) = opened(county)
    assert text.startswith(HOLDS)
    pairs, all_pairs, *sums, _ = numbers(text)
    assert (pairs, all_pairs) == (found.pairs, len(problem) * len(problem.workers))
    assert sums == [found.served, found.objective, gained, paid]


def test_the_county_on_the_page_is_the_provinces_with_all_who_could_come() -> None:
    _, _, problem, proof = made()
    county = written()
    code = next(code for code, name in COUNTIES.items() if name == county["name"])
    here = np.flatnonzero((problem.lines == int(code)).any(axis=1))
    whole = problem.part(here)
    of_all = verified(
        whole, replace(proof, assigned=proof.assigned[here], surplus=proof.surplus[here], inputs=whole.digest)
    )
    of_page = verified(*certified(county))
    assert (of_all.pairs, of_all.served, of_all.objective) == (of_page.pairs, of_page.served, of_page.objective)


@given(
    column=some.sampled_from(CERTIFICATE) | some.sampled_from(AMOUNTS),
    at=some.integers(0, 10**6),
    by=some.sampled_from([-1, 1]) | some.integers(-3_000, 3_000),
)
def test_any_number_changed_is_wrong_unless_it_is_still_a_proof(column: tuple[str, str], at: int, by: int) -> None:
    county = written()
    of_all = county[column[0]][column[1]]
    at %= len(of_all)
    of_all[at] += by
    if column == ("requests", "serving") and of_all[at] <= 0:
        return  # the verifier takes no such request
    agree(county)


@given(seed=some.integers(0, 10**6))
@settings(max_examples=30)
def test_every_pair_is_worth_what_the_table_says(seed: int) -> None:
    """Whatever the county's facts are: about half of the columns are dealt out anew, and some pairs are marked."""
    county, draw = written(), random.Random(seed)
    for side, name in FACTS:
        facts = county[side][name]
        if draw.random() < 0.5:
            county[side][name] = draw.choices([0, 1] if name in FLAGS else facts, k=len(facts))
    many, workers = len(county["requests"]["serving"]), len(county["workers"]["x"])
    used = [(r, w) for r, w in enumerate(county["requests"]["assigned"]) if w >= 0]
    marked = {*used, *((draw.randrange(many), draw.randrange(workers)) for _ in range(200))}
    county["named"] = [[r, w, draw.randrange(1, 16)] for r, w in sorted(marked) if draw.random() < 0.5]
    problem, _ = certified(county)
    assert valued(county) == pairs_of(problem)


def pairs_of(problem: Problem) -> dict[tuple[int, int], int]:
    """Every feasible pair and what it is worth, by the verifier."""
    blocks = (worth(problem, *block) for block in near_pairs(problem))
    return {(r, w): value for block in blocks for r, w, value in zip(*(c.tolist() for c in block), strict=True)}


def agree(county: Any) -> None:
    """The page and the verifier say the same of a county; where it holds, with the same sums."""
    problem, said = certified(county)
    (text,) = opened(county)
    holds = proves(problem, said)
    assert text.startswith(f"{HOLDS}：" if holds else f"{FAILS}："), text
    if holds:
        found = verified(problem, said)
        assert [numbers(text)[place] for place in (0, 2, 3)] == [found.pairs, found.served, found.objective]


def test_every_price_surplus_and_place_in_use_counts() -> None:
    """Changes that no proof survives: a place's price or a surplus where a pair is equal to both, what serving it is worth."""
    whole = written()
    served = [r for r, w in enumerate(whole["requests"]["assigned"]) if w >= 0]
    for r in served[::3]:
        w = whole["requests"]["assigned"][r]
        for side, name, at in (("workers", "price", w), ("requests", "surplus", r), ("requests", "serving", r)):
            for by in (-1, 1):
                county = written()
                county[side][name][at] += by
                assert opened(county)[0].startswith(FAILS), (side, name, at, by)
        county = written()
        county["workers"]["free"][w] = 0
        assert opened(county)[0].startswith(FAILS)


def test_a_point_more_than_surplus_and_price_is_wrong_and_as_much_is_not() -> None:
    county = written()
    price, surplus = county["workers"]["price"], county["requests"]["surplus"]
    most: dict[int, int] = {}
    for (r, w), value in pairs_of(certified(county)[0]).items():
        most[r] = max(most.get(r, value - price[w]), value - price[w])
    waiting = [r for r, w in enumerate(county["requests"]["assigned"]) if w < 0 and r in most]
    assert waiting
    for r in waiting:
        for more, says in ((0, HOLDS), (1, FAILS)):
            other = written()
            other["requests"]["serving"][r] += surplus[r] - most[r] + more
            assert opened(other)[0].startswith(f"{says}："), (r, more)


def test_a_request_more_than_a_worker_has_places_is_wrong() -> None:
    """As many of the same call as the worker has places left, and one more."""
    whole = written()
    assigned, free = whole["requests"]["assigned"], whole["workers"]["free"]
    marked = {r for r, *_ in whole["named"]}
    r, w = next((r, w) for r, w in enumerate(assigned) if w >= 0 and r not in marked and assigned.count(w) < free[w])
    for more, says in ((0, HOLDS), (1, FAILS)):
        county = written()
        for column in county["requests"].values():
            column.extend([column[r]] * (free[w] - assigned.count(w) + more))
        agree(county)
        assert opened(county)[0].startswith(f"{says}："), more


def test_numbers_that_are_none_are_wrong() -> None:
    for side, name in CERTIFICATE:
        for bad in (None, 0.5, -2, 10**9, "1", 2**53):
            county = written()
            at = next(r for r, w in enumerate(county["requests"]["assigned"]) if w >= 0)
            county[side][name][county["requests"]["assigned"][at] if side == "workers" else at] = bad
            assert opened(county)[0].startswith(FAILS), (name, bad)


def test_the_buttons_check_again_and_find_each_change() -> None:
    first, again, *changed, last = opened(written(), ["again", *["forge"] * 30, "again"])
    without_time = [re.sub(r"（用时.*", "", text) for text in (first, again, last)]
    assert len(set(without_time)) == 1 and first.startswith(HOLDS)
    assert len({text.partition("：")[0] for text in changed}) > 20
    assert {re.sub(r"\d+", "", text.partition("：")[0]) for text in changed} == {
        "把第  件求助的盈余改大  分",
        "把第  名社工的价格改小  分",
        "把第  件求助改派给第  名社工",
    }
    assert all(text.partition("：")[2].startswith(FAILS) for text in changed)


def test_a_county_where_nobody_is_served_has_a_number_to_change_too() -> None:
    county = written()
    county["workers"]["free"] = [0] * len(county["workers"]["free"])
    county["requests"]["assigned"] = [NONE] * len(county["requests"]["assigned"])
    county["requests"]["surplus"] = [0] * len(county["requests"]["surplus"])
    first, changed = opened(county, ["forge"])
    assert first.startswith(HOLDS) and f"：{FAILS}" in changed
    assert numbers(first)[0] == 0
    agree(county)
