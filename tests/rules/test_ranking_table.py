"""The table: what each rule and term says, and that its scalar, numpy and numba forms never disagree."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.ranking import (
    FUJIAN,
    RULES,
    TABLE_VERSION,
    TERMS,
    Index,
    Ranked,
    Request,
    Worker,
    Workers,
    explain_pair,
    kernel,
    measures,
    table,
    vector,
)
from services.matching.ranking import index as ranking_index
from tests.rules.ranking_cases import FIGURES, XIAMEN, request, requests, worker, workers

numba_or_skip = pytest.mark.skipif(kernel.build() is None, reason="numba is not installed")


def failed(**facts: object) -> list[str]:
    """The rules that fail for a usual worker and a request with some facts."""
    return [rule.code for rule in explain_pair(worker(), request(**facts), FIGURES).failed]


def test_a_usual_pair_adds_up_by_hand() -> None:
    near = explain_pair(worker(x=3_000, y=4_000), request(earlier=("w0",), min_level=2, slots_wanted=3), FIGURES)
    assert {term.code: term.points for term in near.terms} == {
        "proficiency": 2_000,
        "distance": 3_000 - 3_000 * 5_000 // 25_000,
        "capacity": 600,
        "continuity": 1_800,
        "language": 0,
        "level": 400,
        "availability": 100,
    }
    assert near.feasible and near.score == 7_300 and near.table_version == TABLE_VERSION


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"registered": 0}, "registration"),
        ({"proficiency": (0, 3, 3)}, "field"),
        ({"load": 8}, "free_capacity"),
        ({"load": 9}, "free_capacity"),
        ({"capacity": 0, "load": 0}, "free_capacity"),
        ({"languages": 2}, "language"),
        ({"sex": 2}, "sex"),
        ({"sex": 0}, "sex"),
        ({"level": 0}, "level"),
        ({"slots": 4}, "times"),
        ({"x": 25_001}, "distance"),
        ({"area": XIAMEN}, "jurisdiction"),
        ({"area": XIAMEN, "cross_area": 1}, "jurisdiction"),
    ],
)
def test_each_rule_fails_alone(change: dict[str, int], code: str) -> None:
    strict = request(registration_needed=1, languages_needed=1, sex_wanted=1, min_level=1, slots_wanted=3)
    assert explain_pair(worker(), strict, FIGURES).feasible
    assert [rule.code for rule in explain_pair(worker(**change), strict, FIGURES).failed] == [code]


def test_conflict_and_exclusion_name_the_worker() -> None:
    assert failed(conflicts=("w0",)) == ["no_conflict"]
    assert failed(excluded=("w1", "w0")) == ["not_excluded"]
    assert failed(conflicts=("w1",), excluded=("w2",)) == []


def test_cross_area_needs_both_sides() -> None:
    away = worker(area=XIAMEN, cross_area=1)
    assert explain_pair(away, request(cross_area_allowed=1), FIGURES).feasible
    assert not explain_pair(replace(away, cross_area=0), request(cross_area_allowed=1), FIGURES).feasible


def test_the_limit_is_included_and_longer_when_urgent() -> None:
    edge = explain_pair(worker(y=25_000), request(), FIGURES)
    assert edge.feasible and edge.terms[1].points == 0
    assert not explain_pair(worker(y=37_500), request(urgency=2), FIGURES).feasible
    assert explain_pair(worker(y=37_500), request(urgency=3), FIGURES).feasible


def test_a_wished_language_scores_without_being_needed() -> None:
    speaks = explain_pair(worker(languages=3), request(languages_wished=2), FIGURES)
    silent = explain_pair(worker(languages=1), request(languages_wished=2), FIGURES)
    assert speaks.feasible and silent.feasible and speaks.score - silent.score == 400


def test_availability_stops_at_its_most() -> None:
    every = (1 << 21) - 1
    pair = explain_pair(worker(slots=every), request(slots_wanted=every), FIGURES)
    assert pair.terms[-1].points == 400 and pair.terms[-1].facts["overlap_slots"] == 21


def test_the_facts_shown_are_the_facts_judged() -> None:
    pair = explain_pair(worker(), request(min_level=3), FIGURES)
    assert [(rule.code, rule.facts) for rule in pair.failed] == [("level", {"level": 2, "min_level": 3})]


@given(workers, requests)
def test_every_entry_is_the_same_in_plain_ints_and_in_numpy(one: object, asked: object) -> None:
    facts = measures.pair_facts(one, asked, FIGURES)  # type: ignore[arg-type]
    block = block_of(one, asked)
    for entry in RULES + TERMS:
        wanted = entry.of(facts)
        assert type(wanted) is (bool if entry in RULES else int), entry.code
        assert np.all(entry.of(block) == wanted), entry.code


def block_of(one: object, asked: object) -> dict[str, object]:
    """The vector form's facts of one pair."""
    held = Index([one], FIGURES)  # type: ignore[list-item]
    held.rank(asked)  # type: ignore[arg-type]
    block = held._rows.copy()
    block["proficiency"] = held._proficiency[:, asked.field]  # type: ignore[attr-defined]
    names = (("conflicts", measures.CONFLICT), ("excluded", measures.EXCLUDED), ("earlier", measures.EARLIER))
    mark = sum(bit for name, bit in names if one.id in getattr(asked, name))  # type: ignore[attr-defined]
    line = np.array(asked.line, np.int64)  # type: ignore[attr-defined]
    return dict(measures.block_facts(block, held._query[0], line, np.array([mark])))


@numba_or_skip
@given(workers, requests)
def test_the_kernel_says_what_plain_ints_say(one: object, asked: object) -> None:
    twin = kernel.top()
    pair = explain_pair(one, asked, FIGURES)  # type: ignore[arg-type]
    ranking_index.warm()
    try:
        found = Index([one], FIGURES).rank(asked)  # type: ignore[list-item, arg-type]
    finally:
        kernel.serve(twin)
    assert found == ([Ranked(pair.worker_id, pair.score)] if pair.feasible else [])


@numba_or_skip
@given(workers, requests)
def test_what_a_posting_is_passed_over_by_is_never_less_than_its_score(one: Worker, asked: Request) -> None:
    from services.matching.ranking import fused

    asked = replace(asked, earlier=())
    pair, held = explain_pair(one, asked, FIGURES), Index([one], FIGURES)
    held.rank(asked)
    near = next(term.facts["distance_m"] for term in pair.terms if term.code == "distance")
    place = held._postings.where[0, asked.field]
    if place >= 0:
        for metres in (near, near // 2, 0):
            assert held._postings.pool["own"][place] + fused.most_points(held._query[0], metres) >= pair.score


@given(workers, requests)
def test_who_lacks_a_trait_that_is_needed_fails_its_rule_and_nobody_else_does(one: Worker, asked: Request) -> None:
    has = int(ranking_index.traits(Index([one], FIGURES)._rows)[0])
    said = {"registration", "free_capacity", "language", "sex", "level"}
    fails = said & {rule.code for rule in explain_pair(one, asked, FIGURES).failed}
    assert (has & asked.traits == asked.traits) == (not fails)


@given(st.integers(1, (1 << 25) - 1))
def test_the_square_root_is_exact(root: int) -> None:
    squares = [root * root - 1, root * root, root * root + 2 * root]
    assert measures.floor_sqrt(np.array(squares, np.int64)).tolist() == [math.isqrt(square) for square in squares]


@numba_or_skip
@given(st.integers(1, (1 << 25) - 1))
def test_the_kernels_square_root_and_bit_count_are_exact(root: int) -> None:
    from services.matching.ranking import fused

    squares = [root * root - 1, root * root, root * root + 2 * root]
    assert [fused.floor_sqrt(square) for square in squares] == [math.isqrt(square) for square in squares]
    assert fused.ones(root) == root.bit_count() and fused.ones((1 << 31) - 1) == 31


def test_the_plane_is_whole_metres_rounded_down() -> None:
    assert FUJIAN.metres(115_800_000, 23_500_000) == (0, 0)
    assert FUJIAN.metres(116_800_000, 24_500_000) == (100_026, 111_195)
    assert FUJIAN.metres(115_799_999, 23_499_999) == (-1, -1)


@pytest.mark.parametrize(
    "change",
    [{"limits_m": (0,)}, {"limits_m": ()}, {"limits_m": (4_000_000,)}, {"nearest_points": -1}, {"slot_points": 1.5}],
)
def test_figures_out_of_bounds_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"_m|points"):
        replace(FIGURES, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"x": 1 << 24}, {"load": -1}, {"proficiency": (4, 0, 0)}, {"area": 0}, {"id": ""}])
def test_a_worker_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Workers.of([worker(**change)], FIGURES.fields)


def test_codes_are_unique_titled_and_told_in_the_documentation() -> None:
    told = (Path(__file__).parents[2] / "docs" / "ranking.md").read_text("utf-8")
    for entries in (RULES, TERMS):
        assert len({entry.code for entry in entries}) == len(entries)
        for entry in entries:
            assert any("\u4e00" <= letter <= "\u9fff" for letter in entry.title)
            assert f"`{entry.code}`" in told and entry.title in told, entry.code


def test_another_formula_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def field(proficiency: int) -> bool:
        return proficiency > 1

    changed = tuple(table.Rule(rule.code, rule.title, field) if rule.code == "field" else rule for rule in RULES)
    monkeypatch.setattr(table, "RULES", changed)
    assert table._version() != TABLE_VERSION
    monkeypatch.setattr(table, "RULES", RULES)
    assert table._version() == TABLE_VERSION


def test_a_new_rule_reaches_the_twin_by_its_entry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(free: int) -> bool:
        return free < 0

    monkeypatch.setattr(vector, "RULES", (*RULES, table.Rule("nobody", "无人", nobody)))
    assert Index([worker()], FIGURES).rank(request()) == []
