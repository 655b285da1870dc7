"""A state that moved on: the earlier proof repaired is worth what solving afresh is, and is proved over all pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.identity.data import villages
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.check import OPTIMAL, check
from services.matching.optimum.earlier import Same
from services.matching.optimum.problem import Band, Problem
from services.matching.optimum.repair import CHANGES_MOST, changed, repaired
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints, Workers
from services.matching.ranking.measures import EXCLUDED
from services.matching.typhoon.day import day
from tests.optimum import repeated

BANDS = (Band(40, 800), Band(70, 3_000))
LONG_S = 60.0


def part(whole: Problem, requests: Ints, workers: Ints) -> Problem:
    """The problem of some requests and some workers, renumbered as a snapshot would."""
    request, worker = ({int(old): new for new, old in enumerate(places)} for places in (requests, workers))
    named = [(request[r], worker[w], m) for r, w, m in whole.named.tolist() if r in request and w in worker]
    rows = whole.workers.rows[workers].copy()
    rows["worker"] = np.arange(len(workers))
    return replace(
        whole,
        workers=Workers([f"w{n}" for n in range(1, len(workers) + 1)], rows, whole.workers.proficiency[workers].copy()),
        request_ids=[f"r{n}" for n in range(1, len(requests) + 1)],
        demand=whole.demand[requests].copy(),
        lines=whole.lines[requests].copy(),
        serving=whole.serving[requests].copy(),
        named=np.array(sorted(named), whole.named.dtype),
    )


def moved_on(seed: int, bands: tuple[Band, ...] = ()) -> tuple[Problem, Problem, Same]:
    """A crowded city before and now: people came, went and changed in every way that a run looks at."""
    whole = day([code for code in villages() if code.startswith("3501")], 150, seed, size=320).problem
    whole.workers.rows["free"] = np.minimum(whole.workers.rows["free"], 2)
    whole.demand["field_wanted"] %= 3
    whole = replace(whole, bands=bands)
    random = np.random.default_rng(seed)
    requests = [np.sort(random.choice(150, 148, replace=False)) for _ in range(2)]
    workers = [np.sort(random.choice(320, 319, replace=False)) for _ in range(2)]
    before, now = (part(whole, *both) for both in zip(requests, workers, strict=True))
    rows = now.workers.rows
    busy = random.choice(np.flatnonzero(rows["free"] > 0))
    rows["free"][busy] -= 1
    now.serving[random.integers(len(now))] += 9_000
    there = {(r, w) for r, w, _ in now.named.tolist()}
    pair = next(
        p for p in zip(*(random.integers(100, size=9).tolist() for _ in range(2)), strict=True) if p not in there
    )
    named = np.array(sorted([*now.named.tolist(), (*pair, EXCLUDED)]), now.named.dtype)
    same = Same.of(
        *(tuple([str(n) for n in places] for places in both) for both in zip(requests, workers, strict=True))
    )
    return before, replace(now, named=named), same


@pytest.mark.parametrize("bands", [(), BANDS], ids=["plain", "banded"])
@pytest.mark.parametrize("seed", range(4))
def test_repaired_it_is_worth_what_solving_afresh_is(seed: int, bands: tuple[Band, ...]) -> None:
    before, now, same = moved_on(seed, bands)
    found = repaired(before, Certificate.of(before, solve(before)), now, same, deadline_s=LONG_S)
    assert found is not None and found.objective == solve(now).objective == found.bound
    assert check(now, Certificate.of(now, found)).status == OPTIMAL
    changes = changed(before, now, same)
    assert changes.arrived and changes.cancelled and changes.joined and changes.withdrawn


def test_an_earlier_proof_that_says_nothing_or_too_many_changes_are_not_repaired() -> None:
    before, now, same = moved_on(9)
    proof = Certificate.of(before, solve(before))
    assert repaired(before, replace(proof, status="bounded"), now, same, deadline_s=LONG_S) is None
    assert repaired(before, proof, replace(now, bands=BANDS), same, deadline_s=LONG_S) is None
    another_day = replace(now, serving=now.serving + 400)
    assert changed(before, another_day, same).many > CHANGES_MOST
    assert repaired(before, proof, another_day, same, deadline_s=LONG_S) is None
    alike = repeated(before, np.zeros(1_001, np.int64))
    ids = (list(alike.request_ids), list(alike.workers.ids))
    proved = Certificate.of(alike, solve(alike))
    assert repaired(alike, proved, alike, Same.of(ids, ids), deadline_s=LONG_S) is None, "quicker by kinds"


def test_a_state_that_is_the_same_needs_no_change() -> None:
    before, _, _ = moved_on(3)
    ids = (list(before.request_ids), list(before.workers.ids))
    same = Same.of(ids, ids)
    assert changed(before, before, same).many == 0
    proof = Certificate.of(before, solve(before))
    found = repaired(before, proof, before, same, deadline_s=LONG_S)
    assert found is not None and found.objective == proof.objective
