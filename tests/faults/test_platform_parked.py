"""An event that a reaction cannot take: its record waits, all others go on, and it takes effect by itself in the end."""

from __future__ import annotations

from typing import Any

from tests.instance import PLACE, Instance

MOULD = """
create function mould() returns trigger language plpgsql as
$$ begin if new.body ->> 'taken' like '%13%' then raise exception 'mould'; end if; return new; end $$;
create trigger mould before update on heap for each row execute function mould();
"""


def _parked(platform: Instance) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = platform.query("parked", duty="system_admin")["items"]
    return items


def test_a_refused_event_waits_with_its_followers_and_others_go_on(shared: Instance) -> None:
    waiting, other = shared.plant("无堆肥处"), shared.plant("有堆肥处")
    shared.command("open_heap", division=PLACE, tree_id=other)
    for number in (1, 2, 3):
        shared.command("prune_tree", tree_id=waiting, branches=number)
        shared.command("prune_tree", tree_id=other, branches=number)

    shared.wait_until(lambda: shared.heap(other) == [1, 2, 3], "the other tree's branches are on its heap")
    shared.wait_until(lambda: len(_parked(shared)) == 3, "three events are parked")
    found = _parked(shared)
    assert {item["aggregate_id"] for item in found} == {waiting}
    assert [int(item["position"]) for item in found] == sorted(int(item["position"]) for item in found)
    assert "not_found" in found[0]["reason"]
    assert [item["reason"] for item in found[1:]] == ["waits_behind", "waits_behind"]
    assert shared.heap(waiting) == []

    shared.command("open_heap", division=PLACE, tree_id=waiting)
    shared.wait_until(lambda: shared.heap(waiting) == [1, 2, 3], "each took effect once, in order, by itself")
    shared.wait_until(lambda: not _parked(shared), "nothing is parked any more")
    shared.command("prune_tree", tree_id=waiting, branches=4)
    shared.wait_until(lambda: shared.heap(waiting) == [1, 2, 3, 4], "later ones come the common way")


def test_an_event_that_breaks_the_database_s_rule_is_parked_with_what_was_said(shared: Instance) -> None:
    sick, well = shared.plant("霉"), shared.plant("不霉")
    for tree in (sick, well):
        shared.command("open_heap", division=PLACE, tree_id=tree)
    shared.run(MOULD)
    shared.command("prune_tree", tree_id=sick, branches=13)
    shared.command("prune_tree", tree_id=sick, branches=1)
    shared.command("prune_tree", tree_id=well, branches=2)
    shared.wait_until(lambda: shared.heap(well) == [2], "others go on")
    shared.wait_until(lambda: len(_parked(shared)) == 2, "the event and its follower are parked")
    assert "mould" in _parked(shared)[0]["reason"]
    shared.wait_until(lambda: _parked(shared)[0]["attempts"] > 2, "it is tried again and again")

    shared.run("drop trigger mould on heap; drop function mould()")
    shared.wait_until(lambda: shared.heap(sick) == [13, 1], "in order, once")
    shared.wait_until(lambda: not _parked(shared), "nothing is parked any more")


def test_a_worker_killed_while_events_are_parked_forgets_none(shared: Instance) -> None:
    tree = shared.plant("停电")
    for number in (1, 2):
        shared.command("prune_tree", tree_id=tree, branches=number)
    shared.wait_until(lambda: len(_parked(shared)) == 2, "both are parked")
    shared.laptop.kill("work")
    shared.command("open_heap", division=PLACE, tree_id=tree)
    shared.command("prune_tree", tree_id=tree, branches=3)
    shared.laptop.start("work")
    shared.wait_until(lambda: shared.heap(tree) == [1, 2, 3], "in order, once, after the worker is back")
