"""The feed over HTTP: the log's bytes, positions, long poll, audit, and who is not let through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.flows.gateway_processes import StandIns, gateway, stand_ins
from tests.flows.rpc_processes import wait_until
from tests.flows.test_gateway_http import refusal


@pytest.fixture(scope="module")
def house(rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIns, httpx.Client]]:
    folder = tmp_path_factory.mktemp("feed")
    with stand_ins(rabbit, folder) as (services, url), gateway(url, folder) as http:
        yield services, http


def item(position: int) -> bytes:
    return b'{"b": 1.10,  "a":"\\u738b", "streamposition":"%d"}' % position


def test_items_go_out_as_the_very_bytes_of_the_log(house: tuple[StandIns, httpx.Client]) -> None:
    services, http = house
    services.append("registry.person", *map(item, range(1, 6)))
    answer = http.get("/v1/streams/registry.person?after=1&limit=3")
    assert answer.content == b"[" + b",".join(map(item, (2, 3, 4))) + b"]"
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    assert (answer.headers["banyan-head"], answer.headers["banyan-next"]) == ("5", "4")
    end = http.get("/v1/streams/registry.person?after=5")
    assert (end.content, end.headers["banyan-next"]) == (b"[]", "5")


def test_a_waiting_reader_gets_the_event_that_comes(house: tuple[StandIns, httpx.Client]) -> None:
    services, http = house
    services.append("matching.request", item(1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.get, "/v1/streams/matching.request?after=1&wait=30")
        wait_until(lambda: sum('"after":1' in call[4] for call in services.calls()) >= 2, "the reader looks again")
        assert not waiting.done()
        services.append("matching.request", item(2))
        answer = waiting.result(30)
    assert answer.content == b"[" + item(2) + b"]"


def test_a_reader_that_waits_in_vain_gets_an_empty_page(house: tuple[StandIns, httpx.Client]) -> None:
    services, http = house
    services.append("registry.import", item(1))
    started_s = time.monotonic()
    answer = http.get("/v1/streams/registry.import?after=1&wait=1")
    assert answer.content == b"[]" and time.monotonic() - started_s >= 0.9


def test_parameters_that_mean_nothing_are_refused(house: tuple[StandIns, httpx.Client]) -> None:
    _, http = house
    for wrong in (
        "after=-1",
        "after=x",
        "limit=0",
        "limit=501",
        "wait=31",
        "wait=1.5",
        "since=1",
        "after=9" + "9" * 30,
    ):
        refusal(http.get(f"/v1/streams/registry.person?{wrong}"), 422, "bad_input")


def test_streams_that_are_not_there_reach_no_queue(house: tuple[StandIns, httpx.Client]) -> None:
    services, http = house
    refusal(http.get("/v1/streams/registry.nothing"), 404, "not_found")
    before = len(services.calls())
    for stream in ("amq.gen", "nameko", "..", "registry%2F", "other.person"):
        assert http.get(f"/v1/streams/{stream}").status_code == 404
    refusal(http.get("/v1/audit/other"), 404, "not_found")
    assert len(services.calls()) == before


def test_the_feed_asks_for_a_token(house: tuple[StandIns, httpx.Client]) -> None:
    _, http = house
    with httpx.Client(base_url=http.base_url, trust_env=False) as stranger:
        for address in ("streams", "streams/registry.person", "streams/registry.person/head", "audit/registry"):
            refusal(stranger.get(f"/v1/{address}"), 401, "unauthenticated")


def test_heads_positions_and_the_audit_trail(house: tuple[StandIns, httpx.Client]) -> None:
    services, http = house
    services.append("audit.registry", item(1), item(2))
    audit = http.get("/v1/audit/registry?after=1")
    assert (audit.content, audit.headers["banyan-next"]) == (b"[" + item(2) + b"]", "2")
    assert http.get("/v1/streams/registry.person/head").json() == {}
    assert http.get("/v1/streams").json() == {"streams": {}, "unavailable": []}


def test_a_snapshot_is_asked_for_by_its_cursor_and_answered_as_it_came(house: tuple[StandIns, httpx.Client]) -> None:
    _, http = house
    answer = http.get("/v1/streams/registry.person/snapshot?after=7-3&limit=2")
    assert answer.content == b'{"items": [], "head": {}, "asked": {"stream":"registry.person","after":"7-3","limit":2}}'
    assert http.get("/v1/streams/registry.person/snapshot").json()["asked"]["after"] == ""
    for wrong in ("limit=501", "wait=1"):
        refusal(http.get(f"/v1/streams/registry.person/snapshot?{wrong}"), 422, "bad_input")


def test_schemas_are_where_events_say(house: tuple[StandIns, httpx.Client]) -> None:
    _, http = house
    type_ = "cn.banyan.registry.person.approved.v1"
    schema = http.get(f"/v1/schemas/{type_}").json()
    assert schema["$id"] == f"/v1/schemas/{type_}" and "person_id" in schema["properties"]
    refusal(http.get("/v1/schemas/cn.banyan.nothing.v1"), 404, "not_found")
