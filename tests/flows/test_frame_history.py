"""What held when, and what was known of it when; what older and newer releases wrote is read."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from tests.instance import PLACE, Instance

STREAM = "sample.tree"
FORWARD = "update clock set offset_ms = offset_ms + 86400000::bigint * %s"
WRITTEN = (  # as another release of the service would write it
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data)"
    " values (%s, 'sample.tree', %s, 1, %s, current_date, date_trunc('milliseconds', now()), %s)"
)


def _day(platform: Instance) -> dt.date:
    return dt.date.fromisoformat(platform.query("almanac")["today"])


def _label(platform: Instance, tree_id: str, on: dt.date, known_at: str | None = None) -> str:
    found = platform.query("tree_as_of", tree_id=tree_id, on=str(on), known_at=known_at)
    return str(found["label"])


def test_two_clocks(platform: Instance) -> None:
    planted = _day(platform)
    tree = platform.plant("初名")
    platform.run(FORWARD, 10)
    before_change = platform.query("almanac")["now"]
    platform.command("relabel_tree", tree_id=tree, label="改名", holds_from=str(planted + dt.timedelta(days=20)))
    platform.run(FORWARD, 20)
    before_correction = platform.query("almanac")["now"]
    platform.command("relabel_tree", tree_id=tree, label="更正", holds_from=str(planted + dt.timedelta(days=5)))

    day = lambda days: planted + dt.timedelta(days=days)  # noqa: E731
    assert [_label(platform, tree, day(n)) for n in (0, 4, 5, 20, 30)] == ["初名", "初名", "更正", "更正", "更正"]
    known = [_label(platform, tree, day(n), before_correction) for n in (0, 5, 19, 20, 30)]
    assert known == ["初名", "初名", "初名", "改名", "改名"]
    assert {_label(platform, tree, day(n), before_change) for n in (0, 20, 30)} == {"初名"}
    with pytest.raises(Refused) as refused:
        _label(platform, tree, day(-1))
    assert refused.value.code == "not_found", "before it was planted there was no tree"


def test_a_stale_version_is_told_with_both_sides(platform: Instance) -> None:
    tree = platform.plant("甲方", owner="王二")
    platform.command("relabel_tree", tree_id=tree, label="乙方", holds_from="2026-01-01", version=1)
    with pytest.raises(Refused) as refused:
        platform.command("relabel_tree", tree_id=tree, label="丙方", holds_from="2026-01-01", version=1)
    facts = refused.value.facts
    assert refused.value.code == "stale_version"
    assert (facts["given"], facts["current"]) == (1, 2)
    assert (facts["stands"]["label"], facts["ordered"]["label"]) == ("乙方", "丙方")
    assert "王二" not in str(facts)
    assert platform.query("see_tree", tree_id=tree)["label"] == "乙方"


def _write(platform: Instance, tree: str, kind: str, data: dict[str, Any]) -> None:
    platform.run(WRITTEN, str(uuid.uuid4()), tree, f"cn.banyan.sample.tree.{kind}", json.dumps(data))
    platform.run("notify outbox")


def test_an_event_of_a_newer_release_is_passed_over_and_later_ones_count(platform: Instance) -> None:
    tree = platform.plant("新版")
    _write(platform, tree, "watered.v2", {"tree_id": tree, "millilitres": 5000})
    _write(platform, tree, "sung_to.v1", {"tree_id": tree, "song": "采茶"})
    platform.command("water_tree", tree_id=tree, litres=3)
    platform.wait_until(lambda: platform.figure().get(tree) == 3, "what is understood has its effect")
    assert platform.query("parked", duty="system_admin")["items"] == []
    types = [json.loads(item)["type"] for item in platform.stream(STREAM)]
    assert {"cn.banyan.sample.tree.watered.v2", "cn.banyan.sample.tree.sung_to.v1"} <= set(types)
    assert verify(platform.stream(STREAM), public_keys=platform.public_keys()).whole


def test_a_field_of_a_newer_release_is_passed_over(platform: Instance) -> None:
    tree = platform.plant("新字段")
    _write(platform, tree, "watered.v1", {"tree_id": tree, "litres": 4, "warm": True})
    platform.wait_until(lambda: platform.figure().get(tree) == 4, "it is read as this release knows it")


def test_an_event_from_before_a_field_was_added_is_read_with_its_default(platform: Instance) -> None:
    tree = platform.plant("旧版")
    platform.command("open_heap", division=PLACE, tree_id=tree)
    _write(platform, tree, "pruned.v1", {"tree_id": tree})
    platform.command("prune_tree", tree_id=tree, branches=6)
    platform.wait_until(lambda: platform.heap(tree) == [1, 6], "the old event means one branch")
