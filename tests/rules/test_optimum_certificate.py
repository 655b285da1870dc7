"""A certificate holds by addition alone: whatever number is changed, it is refused unless it is still a proof."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import CliRunner

from banyan.cli.verify import command
from banyan.kernel.refusal import Refused, catalogue
from services.matching.optimum.certificate import CERTIFICATE, INPUTS, Certificate, read, write
from services.matching.optimum.check import BOUNDED, OPTIMAL, POINTS_LIMIT, WRONG, check
from services.matching.optimum.problem import NONE, Band, Problem
from services.matching.optimum.solve import solve
from services.matching.optimum.sweep import Pairs
from services.matching.optimum.verify import verify
from services.matching.ranking import RULES
from tests.optimum import all_pairs, crowded, repeated

SECOND = Path(__file__).resolve().parents[2] / "docs" / "verify_matching.py"


@cache
def whole() -> tuple[Problem, Certificate, Pairs]:
    """A small run, with requests that are alike, with prices, surpluses and costs of places, its certificate, and all feasible pairs."""
    some = crowded(7, requests=200, workers=1_200, bands=(Band(40, 300), Band(80, 2_500)))
    problem = repeated(some, np.append(np.arange(200), np.arange(100) % 40))  # of one kind several
    return problem, Certificate.of(problem, solve(problem)), all_pairs(problem)


def is_proof(problem: Problem, said: Certificate, pairs: Pairs) -> bool:
    """The same by the plainest addition, pair by pair."""
    worth = {(r, w): v for r, w, v in zip(*(column.tolist() for column in pairs), strict=True)}
    used = [(r, w) for r, w in enumerate(said.assigned.tolist()) if w != NONE]
    taken = np.bincount([w for _, w in used], minlength=len(problem.workers))
    if not all(pair in worth for pair in used) or (taken > problem.free).any():
        return False
    start, cost = problem.places
    paid = sum(int(cost[start[w] : start[w] + many].sum()) for w, many in enumerate(taken.tolist()) if many)
    prices, surplus = said.prices.tolist(), said.surplus.tolist()
    bound = sum(surplus)
    for w, price in enumerate(prices):
        bound += sum(max(0, price - one) for one in cost[start[w] : start[w + 1]].tolist())
    return (
        min(prices) >= 0
        and min(surplus) >= 0
        and all(v <= surplus[r] + prices[w] for (r, w), v in worth.items())
        and said.objective == sum(worth[pair] for pair in used) - paid
        and said.bound == bound
        and said.status == (OPTIMAL if bound == said.objective else BOUNDED)
    )


@given(
    name=some.sampled_from(["assigned", "prices", "surplus"]),
    at=some.integers(0, 10**6),
    by=some.sampled_from([-1, 1, -300, 2_500, -(10**9), 10**9]) | some.integers(-(2**63), 2**63 - 1),
)
def test_any_number_changed_is_refused_unless_it_is_still_a_proof(name: str, at: int, by: int) -> None:
    problem, said, pairs = whole()
    column = getattr(said, name).copy()
    at %= len(column)
    column[at] = max(-(2**63), min(2**63 - 1, int(column[at]) + by))
    if name == "assigned" and abs(by) > 300:
        column[at] = by % len(problem.workers)
    changed = replace(said, **{name: column})
    most = POINTS_LIMIT // max(len(problem), int(problem.free.sum()))  # beyond it sums could overflow: refused as such
    fits = NONE <= column[at] < len(problem.workers) if name == "assigned" else column[at] <= most
    assert (check(problem, changed).status != WRONG) == (fits and is_proof(problem, changed, pairs))


def test_what_is_wrong_is_named() -> None:
    problem, said, _ = whole()
    found = check(problem, said)
    assert (found.status, found.gap, found.pairs) == (OPTIMAL, 0, len(whole()[2]))
    priced, served = int(said.prices.argmax()), int(np.flatnonzero(said.assigned != NONE)[0])
    cases: dict[str, Certificate] = {
        "digest": replace(said, inputs="0" * 64),
        "table": replace(said, table_version="0" * 64),
        "shape": replace(said, prices=said.prices[1:]),
        "negative": replace(said, surplus=_put(said.surplus, 3, -1)),
        "objective": replace(said, assigned=_put(said.assigned, served, NONE)),
        "uncovered": replace(said, prices=_put(said.prices, priced, int(said.prices[priced]) - 1)),
        "bound": replace(said, bound=said.bound + 1),
        "status": replace(said, status=BOUNDED),
    }
    assert {code: check(problem, changed).code for code, changed in cases.items()} == {code: code for code in cases}
    twice = np.flatnonzero(said.assigned != NONE)
    workers = said.assigned.copy()
    pairs = whole()[2]
    r, w = next(
        (r, w)
        for r, w in zip(pairs.request.tolist(), pairs.worker.tolist(), strict=True)
        if r not in twice and w in workers
    )
    over = check(problem, replace(said, assigned=_put(workers, r, w)))
    assert (over.code, over.worker_id) == ("capacity", problem.workers.ids[w])
    wrong = int(np.flatnonzero(problem.workers.proficiency[:, problem.demand["field_wanted"][served]] == 0)[0])
    ruled = check(problem, replace(said, assigned=_put(said.assigned, served, wrong)))
    assert (ruled.code, ruled.request_id, ruled.worker_id) == (
        "rule",
        problem.request_ids[served],
        problem.workers.ids[wrong],
    )
    assert ruled.rule in {rule.code for rule in RULES}


def _put(column: Any, at: int, value: int) -> Any:
    changed = column.copy()
    changed[at] = value
    return changed


def test_a_bound_that_is_not_reached_is_said_to_be_one(tmp_path: Path) -> None:
    problem, said, _ = whole()
    early = replace(
        said, surplus=_put(said.surplus, 0, int(said.surplus[0]) + 17), bound=said.bound + 17, status=BOUNDED
    )
    found = check(problem, early)
    assert (found.status, found.gap) == (BOUNDED, 17)
    write(tmp_path, problem, early)
    assert "最多相差 17 分" in verify(tmp_path).sentence
    assert "BOUNDED, at most 17 points short" in second(tmp_path).stdout


def second(folder: Path) -> subprocess.CompletedProcess[str]:
    """docs/verify_matching.py, which knows nothing of us."""
    return subprocess.run([sys.executable, "-I", str(SECOND), str(folder)], capture_output=True, text=True, check=False)


def test_the_files_hold_all_of_it_and_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    problem, said, _ = whole()
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, problem, said)
        files.append([(tmp_path / name / file).read_bytes() for file in (INPUTS, CERTIFICATE)])
    assert files[0] == files[1]
    again, said_again = read(tmp_path / "one")
    assert again.digest == problem.digest and check(again, said_again) == check(problem, said)
    (tmp_path / "one" / CERTIFICATE).write_bytes(files[0][1][:-40])
    with pytest.raises(Refused, match="certificate_unreadable"):
        verify(tmp_path / "one")


def test_both_verifiers_say_so_and_neither_takes_what_was_changed(tmp_path: Path) -> None:
    problem, said, pairs = whole()
    write(tmp_path, problem, said)
    app = typer.Typer()
    app.command("verify")(command)

    def run(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, list(words))
        return found.exit_code, found.output

    good, other = run("matching", str(tmp_path)), second(tmp_path)
    assert good[0] == 0 and "OPTIMAL" in good[1] and f"{len(pairs):,} 个可行配对" in good[1]
    assert (
        other.returncode == 0 and other.stdout.startswith("OPTIMAL") and f"{len(pairs)} feasible pairs" in other.stdout
    )
    served = np.flatnonzero(said.assigned != NONE)
    swapped = said.assigned.copy()
    swapped[served[:2]] = swapped[served[1::-1]]
    cases = [
        replace(said, prices=_put(said.prices, int(said.prices.argmax()), int(said.prices.max()) - 1)),
        replace(said, surplus=_put(said.surplus, 5, int(said.surplus[5]) + 1)),
        replace(said, assigned=_put(said.assigned, int(served[0]), NONE)),
        replace(said, assigned=swapped),
        replace(said, objective=said.objective + 1, bound=said.bound + 1),
    ]
    for changed in cases:
        write(tmp_path, problem, changed)
        code, text = run("matching", str(tmp_path))
        refused = second(tmp_path)
        assert code == 1 and "证书不成立" in text
        assert refused.returncode == 1 and refused.stderr.startswith("WRONG")
    write(tmp_path, problem, said)
    arrays = problem.arrays()
    arrays["request_serving"] = arrays["request_serving"] + 1
    write(tmp_path, Problem.of(arrays), said)
    assert "摘要不符" in run("matching", str(tmp_path))[1] and "other inputs" in second(tmp_path).stderr
    (tmp_path / INPUTS).write_text("{}")
    assert run("matching", str(tmp_path))[0] == 2
    assert catalogue()["bad_input"]["title"] in run("items.jsonl", str(tmp_path))[1]


def test_another_table_of_rules_is_not_taken_for_this_one(tmp_path: Path) -> None:
    problem, said, _ = whole()
    arrays = problem.arrays()
    told = json.loads(bytes(arrays["told"])) | {"table_version": "0" * 64}
    arrays["told"] = np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)
    write(tmp_path, problem, said)
    with (tmp_path / INPUTS).open("wb") as opened:
        np.savez(opened, **arrays)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="certificate_unreadable"):
        verify(tmp_path)
    assert "other inputs or table" in second(tmp_path).stderr
