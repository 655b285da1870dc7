"""One request over HTTP is one trace, through gateway, service, relay and subscription to each effect."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.collector import Collector
from tests.flows.gateway_processes import before_sample
from tests.instance import PLACE, Instance


@pytest.fixture(scope="module")
def gateway(platform: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The gateway before the sample service, as a process; its address and its log."""
    with before_sample(platform, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def order(platform: Instance, address: str, method: str, trace_id: str, **body: Any) -> httpx.Response:
    """One order over HTTP, with the caller's wish that it be traced."""
    headers = {
        "Authorization": f"Bearer {platform.token()}",
        "Idempotency-Key": str(uuid.uuid4()),
        "traceparent": f"00-{trace_id}-00000000000000ab-01",
    }
    return httpx.post(f"{address}/v1/sample/{method}", json=body, headers=headers, trust_env=False)


def test_one_request_is_one_trace_to_each_of_its_effects(
    platform: Instance, collector: Collector, gateway: tuple[str, Path]
) -> None:
    address, log = gateway
    tree = platform.plant("迹")
    platform.command("open_heap", division=PLACE, tree_id=tree)
    trace_id = uuid.uuid4().hex
    assert order(platform, address, "prune_tree", trace_id, tree_id=tree, branches=3).status_code == 200
    platform.wait_until(lambda: platform.heap(tree) == [3], "the reaction took effect")

    parents = {
        "gateway.sample.prune_tree": "",
        "sample.prune_tree": "gateway.sample.prune_tree",
        "sample.relay": "sample.prune_tree",
        "sample.reactions": "sample.prune_tree",
        "sample.projections.sample.tree": "sample.prune_tree",
        "sample.add_branches": "sample.reactions",
    }
    platform.wait_until(lambda: set(parents) <= set(collector.trace(trace_id)), "all spans have arrived")
    seen = collector.trace(trace_id)
    assert seen["gateway.sample.prune_tree"].parent_id == "00000000000000ab"
    for name, parent in parents.items():
        assert not parent or seen[name].parent_id == seen[parent].span_id, f"{name} is under {parent}"
    processes = {name: span.process for name, span in seen.items()}
    assert processes["gateway.sample.prune_tree"] == "banyan gateway"
    assert processes["sample.prune_tree"] == "banyan serve"
    assert processes["sample.add_branches"] == processes["sample.relay"] == "banyan work"
    assert [line["route"] for line in _lines(log, trace_id)] == ["sample.prune_tree"]
    audited = platform.rows("select row ->> 'method' from audit where row ->> 'trace_id' = %s order by id", trace_id)
    assert audited == [("prune_tree",), ("add_branches",)]


def test_what_fails_is_logged_with_the_trace_of_the_request_that_began_it(
    platform: Instance, gateway: tuple[str, Path]
) -> None:
    tree, trace_id = platform.plant("失"), uuid.uuid4().hex
    assert order(platform, gateway[0], "prune_tree", trace_id, tree_id=tree).status_code == 200  # it has no heap
    log = platform.laptop.folder / "work.log"
    platform.wait_until(
        lambda: any(_lines(log, trace_id)), "work has said that the reaction failed, and in which trace"
    )
    platform.command("open_heap", division=PLACE, tree_id=tree)
    platform.wait_until(lambda: platform.heap(tree) == [1], "tried again, it took effect")


def _lines(log: Path, trace_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if f'"trace_id": "{trace_id}"' in line]
