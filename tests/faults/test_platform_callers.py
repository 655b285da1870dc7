"""Many callers on one thing: one key, one record, one bulk order. No effect is lost, none is doubled."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from banyan.kernel.refusal import Refused
from tests.faults.load import AGAIN
from tests.instance import Instance

CALLERS = 100


def _all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What each call answered or was refused, all begun at one moment."""
    gate = threading.Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return call()
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


def test_a_hundred_callers_on_one_key_get_one_effect_and_one_answer(shared: Instance) -> None:
    tree, key = shared.plant("百人"), str(uuid.uuid4())
    body, token = {"tree_id": tree, "litres": 7}, shared.token()
    call = lambda: shared.call("water_tree", body, key=key, token=token, timeout_s=60)  # noqa: E731
    answers = _all_at_once([call] * CALLERS)
    assert [answer for answer in answers if isinstance(answer, Refused)] == []
    assert all(answer == answers[0] for answer in answers)
    assert shared.query("see_tree", tree_id=tree)["litres"] == 7
    assert shared.rows("select count(*) from tree_history where id = %s", tree) == [(2,)]
    assert shared.rows("select count(*) from notice where about = %s", tree) == [(1,)]


def test_one_key_with_two_bodies_has_one_of_them_and_says_so(shared: Instance) -> None:
    tree, key = shared.plant("两样"), str(uuid.uuid4())
    calls = [lambda n=n: shared.command("water_tree", key=key, tree_id=tree, litres=n) for n in (3, 5)]
    answers = _all_at_once(calls * 5)
    done = {n for n, answer in zip((3, 5) * 5, answers, strict=True) if not isinstance(answer, Refused)}
    assert len(done) == 1, "one body won"
    assert {a.code for a in answers if isinstance(a, Refused)} == {"key_reused"}
    assert shared.query("see_tree", tree_id=tree)["litres"] in done


def test_one_key_of_two_accounts_is_two_keys(shared: Instance) -> None:
    tree, key = shared.plant("两家"), str(uuid.uuid4())
    for account in ("gardener-1", "gardener-2"):
        body = {"tree_id": tree, "litres": 2}
        shared.call("water_tree", body, key=key, token=shared.token(account=account))
    assert shared.query("see_tree", tree_id=tree)["litres"] == 4


def test_two_officers_at_once_lose_nothing(shared: Instance) -> None:
    tree = shared.plant("二人")
    calls = [lambda: shared.command("water_tree", tree_id=tree, litres=1, timeout_s=30)] * 20
    answers = _all_at_once(calls)
    assert sorted(answer["version"] for answer in answers) == list(range(2, 22))
    assert shared.query("see_tree", tree_id=tree)["litres"] == 20


def test_two_officers_on_one_version_one_is_told_both_sides(shared: Instance) -> None:
    tree = shared.plant("旧牌", owner="王二")
    names = ("东牌", "西牌")
    order = {"tree_id": tree, "holds_from": "2026-01-01", "version": 1}
    answers = _all_at_once([lambda n=n: shared.command("relabel_tree", label=n, **order) for n in names])
    done = [n for n, answer in zip(names, answers, strict=True) if not isinstance(answer, Refused)]
    stale = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(done) == 1 and [refused.code for refused in stale] == ["stale_version"]
    facts = stale[0].facts
    assert (facts["given"], facts["current"]) == (1, 2)
    assert facts["stands"]["label"] == done[0]
    assert facts["ordered"]["label"] == next(n for n in names if n not in done)
    assert "王二" not in str(facts)


@pytest.mark.parametrize("method", ["water_tree", "water_trees"])
def test_a_command_that_waits_beyond_its_deadline_is_not_executed_later(shared: Instance, method: str) -> None:
    tree, key = shared.plant(f"久等{method}"), str(uuid.uuid4())
    order: dict[str, Any] = {"tree_id": tree, "litres": 9}
    order = {"items": [order]} if method == "water_trees" else order
    with psycopg.connect(shared.database) as other:
        other.execute("select 1 from tree where id = %s for update", (tree,))
        with pytest.raises(Refused) as refused:
            shared.command(method, key=key, **order, timeout_s=1)
        assert refused.value.code == "record_busy", "told before its deadline, not left in doubt"
        shared.wait_until(lambda: not _asked(shared), "the database has given up, too")
    assert shared.query("see_tree", tree_id=tree)["litres"] == 0
    shared.command(method, key=key, **order)
    assert shared.query("see_tree", tree_id=tree)["litres"] == 9, "the same key, with time, is a fresh start"


def _asked(shared: Instance) -> bool:
    sql = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(shared.rows(sql))


def test_a_bulk_order_repeated_after_a_kill_does_each_item_once(shared: Instance) -> None:
    trees = [shared.plant(f"批{n}") for n in range(120)]
    items, key = [{"tree_id": tree, "litres": 1} for tree in trees], str(uuid.uuid4())
    items += items  # a record that comes twice: one transaction each, so that the kill falls between them
    ending: list[Any] = []

    def order() -> None:
        try:
            ending.append(shared.command("water_trees", key=key, items=items, timeout_s=20))
        except Refused as refused:
            ending.append(refused)

    thread = threading.Thread(target=order)
    thread.start()
    watered = "select count(*) from tree where label like '批%%' and litres > 0"
    shared.wait_until(lambda: shared.rows(watered)[0][0] > 10, "some items are done")
    shared.laptop.kill("serve")
    begun = shared.rows(watered)[0][0]
    shared.laptop.start("serve")
    shared.laptop.wait_ready("serve")
    thread.join(40)
    answers = _until_answered(shared, key, items)
    assert 10 < begun < 120, "the kill fell into the middle"
    assert all("done" in answer for answer in answers)
    assert shared.rows("select distinct litres from tree where label like '批%%'") == [(2,)]


def _until_answered(shared: Instance, key: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    while True:
        try:
            found: list[dict[str, Any]] = shared.command("water_trees", key=key, items=items, timeout_s=30)["items"]
            return found
        except Refused as refused:
            if refused.code not in AGAIN:
                raise
