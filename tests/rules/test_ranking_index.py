"""The index: exact, equal to a rebuild after any history, never seen half changed; with and without numba."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banyan.kernel.refusal import Refused
from services.matching.ranking import Index, Ranked, Request, Worker, explain_pair, grid, kernel, vector, warm
from services.matching.ranking.order import IdOrder
from tests.rules.ranking_cases import FIGURES, XIAMEN, request, requests, worker, workers

K = 3
changes = st.lists(st.one_of(workers, st.sampled_from([f"w{number}" for number in range(12)])), max_size=30)


@pytest.fixture(params=["numpy", "numba"], autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each test runs on the twin and on the kernel."""
    kernel.serve(vector.top)
    if request.param == "numba" and not warm():
        pytest.skip("numba is not installed")
    yield request.param
    kernel.serve(vector.top)


def by_hand(held: dict[str, Worker], asked: Request, k: int) -> list[Ranked]:
    """The best k by judging every pair in plain ints."""
    pairs = [explain_pair(each, asked, FIGURES) for each in held.values()]
    good = sorted((-pair.score, pair.worker_id) for pair in pairs if pair.feasible)
    return [Ranked(worker_id, -score) for score, worker_id in good[:k]]


def play(index: Index, held: dict[str, Worker], history: list[Worker | str]) -> None:
    """Applies changes to the index and to a plain dict: a worker is taken in or changed, an id goes."""
    for change in history:
        if isinstance(change, Worker):
            index.add(change)
            held[change.id] = change
        elif held.pop(change, None):
            index.remove(change)
        else:
            with pytest.raises(Refused, match="worker_not_matchable"):
                index.remove(change)


@settings(max_examples=200)
@given(
    st.lists(workers, max_size=12, unique_by=lambda each: each.id), changes, st.lists(requests, min_size=1, max_size=6)
)
def test_any_history_equals_a_rebuild_and_the_count_by_hand(
    first: list[Worker], history: list[Worker | str], asked: list[Request]
) -> None:
    index, held = Index(first, FIGURES), {each.id: each for each in first}
    play(index, held, history)
    rebuilt = Index(held.values(), FIGURES)
    assert len(index) == len(held) and len(index._postings) == len(rebuilt._postings)
    for one in asked:
        wanted = by_hand(held, one, K)
        assert index.rank(one, K) == wanted
        assert rebuilt.rank(one, K) == wanted
    for worker_id, each in held.items():
        assert index.worker(worker_id) == each


def test_all_equal_goes_by_id_whatever_the_order_of_arrival() -> None:
    ids = [f"{number * 7 % 100:03}" for number in range(100)]
    index = Index([worker(id) for id in ids[:50]], FIGURES)
    for id in ids[50:]:
        index.add(worker(id))
    assert [ranked.worker_id for ranked in index.rank(request(), 100)] == sorted(ids)
    assert index.alternative(request(), 10) == Ranked("010", index.rank(request(), 1)[0].score)


def test_ids_order_themselves_though_gaps_run_out() -> None:
    order, ids = IdOrder([], gap=4), ["m"]
    order.grow_slots(200)
    for slot in range(200):
        id = f"m{'a' * (200 - slot)}" if slot % 2 else f"m{'a' * slot}b"
        order.add(id, slot)
        ids.append(id)
    slot_of = {id: slot for slot, id in enumerate(ids[1:])}
    assert sorted(slot_of, key=lambda id: order.keys[slot_of[id]]) == sorted(slot_of)


def test_a_bucket_grows_and_empties() -> None:
    index = Index([], FIGURES)
    for number in range(3_000):
        index.add(worker(f"{number:04}", x=number % 7))
    for number in range(2_999):
        index.remove(f"{number:04}")
    assert index.rank(request()) == [Ranked("2999", index.explain(request(), "2999").score)]
    assert len(index) == 1 and len(index._postings) == 1


def test_far_cells_that_share_a_bucket_are_told_apart() -> None:
    turn = grid.SIZE * grid.CELL_M
    index = Index([worker("here"), worker("far", x=turn), worker("further", y=-turn, proficiency=(2, 0, 1))], FIGURES)
    assert [ranked.worker_id for ranked in index.rank(request())] == ["here"]
    assert [ranked.worker_id for ranked in index.rank(request(field=2, urgency=3))] == ["further"]


def test_why_not_names_the_rule_the_gap_or_the_place() -> None:
    index = Index([worker(f"w{number}", x=number * 1_000) for number in range(5)], FIGURES)
    index.add(worker("twin", x=1_000, area=XIAMEN))
    assert [rule.code for rule in index.why_not(request(), "twin", 2).failed] == ["jurisdiction"]
    assert (index.why_not(request(), "w1", 2).place, index.why_not(request(), "w1", 2).gap) == (2, None)
    behind = index.why_not(request(), "w3", 2)
    assert (behind.failed, behind.place, behind.gap, behind.ahead) == ((), None, 240, index.rank(request(), 2)[-1])
    index.add(worker("w9", x=1_000))
    assert index.why_not(request(), "w9", 2).gap == 0
    for ask in (index.explain, index.why_not):
        with pytest.raises(Refused, match="worker_not_matchable"):
            ask(request(), "stranger")


def test_other_figures_rank_at_once() -> None:
    index = Index([worker()], FIGURES)
    before = index.rank(request())[0].score
    index.use(replace(FIGURES, proficiency_2_points=5))
    assert before - index.rank(request())[0].score == 1_995
    index.use(replace(FIGURES, proficiency_2_points=5, limits_m=(1, 1, 1)))
    assert index.rank(request(x=2)) == []
    index.use(FIGURES)
    assert index.rank(request())[0].score == before
    with pytest.raises(ValueError, match="fields"):
        index.use(replace(FIGURES, limits_m=(1_000,)))


def test_a_request_that_does_not_fit_or_asks_for_none_is_refused() -> None:
    index = Index([worker()], FIGURES)
    for bad in ({"x": 1 << 24}, {"line": (1,) * 9}, {"field": -1}):
        with pytest.raises(ValueError, match="does not fit"):
            request(**bad)
    with pytest.raises(ValueError, match="does not fit"):
        index.rank(request(field=3))
    with pytest.raises(ValueError, match="k is"):
        index.rank(request(), 0)
    with pytest.raises(ValueError, match="twice"):
        Index([worker(), worker()], FIGURES)


def test_a_mark_of_one_request_never_reaches_the_next() -> None:
    index = Index([worker()], FIGURES)
    assert index.rank(request(conflicts=("w0", "nobody"))) == []
    assert len(index.rank(request())) == 1


def test_a_reader_never_sees_half_a_change() -> None:
    """One worker moves between two far places and two fields; a reader finds exactly one of them in one of them."""
    here = worker("mover", proficiency=(2, 2, 0))
    there = worker("mover", x=500_000, proficiency=(0, 1, 0), area=XIAMEN, cross_area=1)
    index = Index([here], FIGURES)
    at_home, away = request(field=1), request(field=1, x=500_000, cross_area_allowed=1)
    whole = {(explain_pair(here, at_home, FIGURES).score,), (explain_pair(there, away, FIGURES).score,)}
    wrong: list[object] = []
    done = threading.Event()

    def write() -> None:
        for turn in range(2_000):
            index.add(there if turn % 2 == 0 else here)
        done.set()

    def read() -> None:
        while not done.is_set():
            for asked in (at_home, away):
                found = tuple(ranked.score for ranked in index.rank(asked))
                if found and found not in whole:
                    wrong.append(found)
            if index.worker("mover") not in (here, there):
                wrong.append("half a worker")

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=each) for each in (read, read, write)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert wrong == [] and index.worker("mover") == here


def test_without_numba_the_twin_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.serve(vector.top)
    monkeypatch.setattr(kernel.importlib.util, "find_spec", lambda name: None)
    assert warm() is False and not kernel.compiled()
    assert len(Index([worker()], FIGURES).rank(request())) == 1


def test_compiled_code_is_kept_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel.cache_folder() == tmp_path / "banyan" / "numba"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert kernel.cache_folder() == tmp_path / "own"


def test_a_kernel_of_other_sources_is_not_loaded_from_the_cache() -> None:
    """The stamp is closed over, and numba keys its cache by what is closed over: two stamps, two keys."""
    fused = pytest.importorskip("services.matching.ranking.fused")
    target = fused.build(kernel.stamp()).targetctx.codegen()
    keys = {fused.build(stamp)._cache._index_key((), target) for stamp in (1, 1, 2)}
    assert len(keys) == 2
