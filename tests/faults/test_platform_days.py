"""The day is Shanghai's, whatever the host's time zone: at 16:30 in UTC it is the next one."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import started
from tests.instance import Instance

LAST = "2090-12-31"
FIRST = "2091-01-01"  # from which on the sample's policy has another figure
SET = "update clock set offset_ms = extract(epoch from %s::timestamptz - now())::numeric * 1000"


@pytest.fixture(scope="module", params=["UTC", "America/New_York"])
def abroad(
    request: pytest.FixtureRequest, postgres: Any, rabbit: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """Processes of a host whose clock shows another zone."""
    with started(postgres, rabbit, tmp_path_factory.mktemp("zone"), TZ=request.param) as running:
        yield running


def _it_is(platform: Instance, instant: str) -> dict[str, Any]:
    platform.run(SET, instant)
    found: dict[str, Any] = platform.query("almanac")
    assert abs(dt.datetime.fromisoformat(found["now"]) - dt.datetime.fromisoformat(instant)) < dt.timedelta(minutes=5)
    return found


def test_half_past_four_in_the_afternoon_is_tomorrow(abroad: Instance) -> None:
    before = _it_is(abroad, f"{LAST}T15:30:00+00:00")
    assert (before["today"], before["litres_most"]) == (LAST, 1000)
    resting = abroad.plant("休养到年底")
    abroad.command("rest_tree", tree_id=resting, until=LAST)
    early = abroad.plant("年底种下")
    abroad.wait_until(lambda: _turned(abroad), "the schedule has looked")
    assert abroad.query("see_tree", tree_id=resting)["state"] == "resting", "its last day is not over"

    after = _it_is(abroad, f"{LAST}T16:30:00+00:00")
    assert (after["today"], after["litres_most"]) == (FIRST, 10)
    abroad.wait_until(lambda: abroad.query("see_tree", tree_id=resting)["state"] == "growing", "its rest is over")
    late = abroad.plant("元旦种下")
    days = dict(abroad.rows("select id, effective_on::text from tree_history where version = 1"))
    assert (days[early], days[late]) == (LAST, FIRST)
    abroad.wait_until(lambda: late in str(abroad.stream("sample.tree")), "its event is in the log")
    events = {
        e["subject"]: e for e in map(json.loads, abroad.stream("sample.tree")) if e["type"].endswith("planted.v1")
    }
    assert (events[early]["effectiveon"], events[late]["effectiveon"]) == (LAST, FIRST)
    assert events[late]["recordedat"].startswith(f"{LAST}T16:3"), "instants are UTC's"


def _turned(platform: Instance) -> bool:
    """Another tree, whose rest was over long ago, has been woken meanwhile: so the schedule has looked at both."""
    ids = platform.rows("select id, state from tree where label = '早该醒来'")
    if not ids:
        tree = platform.plant("早该醒来")
        platform.command("rest_tree", tree_id=tree, until="2090-12-30")
        return False
    return bool(ids[0][1] == "growing")
