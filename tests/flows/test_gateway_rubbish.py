"""Rubbish sent to the gateway: each kind is refused clearly, none is an inner error, none reaches a service for nothing."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flows.gateway_processes import StandIns, gateway, key, refusal, stand_ins

APPROVE = "/v1/registry/approve_person"
DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
FIGURES = "/v1/identity/find_figures"


@pytest.fixture(scope="module")
def house(rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIns, httpx.Client]]:
    folder = tmp_path_factory.mktemp("rubbish")
    with stand_ins(rabbit, folder) as (services, url), gateway(url, folder) as http:
        yield services, http


@pytest.fixture
def services(house: tuple[StandIns, httpx.Client]) -> StandIns:
    return house[0]


@pytest.fixture
def http(house: tuple[StandIns, httpx.Client]) -> httpx.Client:
    return house[1]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"{'a':1}", b'{"a":1}],"kwargs":{"body":1}}', b'{"a":"\xff"}', DEEP],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_here(body: bytes, services: StandIns, http: httpx.Client) -> None:
    before = len(services.calls())
    answer = http.post(APPROVE, content=body, headers={**key(), "Content-Type": "application/json"})
    refusal(answer, 400, "not_json")
    assert len(services.calls()) == before


def test_ten_megabytes_are_refused_whether_their_size_is_said_or_not(services: StandIns, http: httpx.Client) -> None:
    before = len(services.calls())
    piece = b"x" * (1 << 16)
    headers = {**key(), "Content-Type": "application/json"}
    for content in (piece * 160, iter([piece] * 160)):
        problem = refusal(http.post(APPROVE, content=content, headers=headers), 413, "too_large")
        assert problem["facts"]["limit_bytes"] == 1 << 20
    assert len(services.calls()) == before
    assert http.post(APPROVE, json={"person_id": "p1"}, headers=key()).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (FIGURES, b'{"name":"a\\u0000b"}', "$.name"),
        (FIGURES, b'{"a\\u0000b":1}', "$"),
        ("/v1/token", b'{"username":"li\\u0000","password":"right"}', "$.username"),
        ("/v1/batch", b'{"reads":[{"service":"identity\\u0000","method":"find_duties"}]}', "$.reads[0].service"),
        (
            "/v1/identity/retire_signing_key",
            b'{"key":"k","until_at":"2026-01-01T00:00:00","reason":"xx"}',
            "$.until_at",
        ),
        (
            "/v1/identity/retire_signing_key",
            b'{"key":"k","until_at":"0001-01-01T00:00:00Z","reason":"xx"}',
            "$.until_at",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_no_part_could_keep_is_refused_with_its_field(
    path: str, body: bytes, field: str, http: httpx.Client
) -> None:
    answer = http.post(path, content=body, headers={**key(), "Content-Type": "application/json"})
    assert refusal(answer, 422, "bad_input")["facts"]["field"] == field


def test_rubbish_in_addresses_queries_forms_and_encodings(http: httpx.Client) -> None:
    refusal(http.get("/v1/streams/registry.person%00"), 422, "bad_input")
    refusal(http.get("/v1/streams/%ED%A0%80"), 404, "not_found")
    refusal(http.get("/v1/streams/registry.person?after=%00"), 422, "bad_input")
    refusal(http.get("/v1/streams/registry.person?%00=1"), 422, "bad_input")
    refusal(http.get("/v1/schemas/%00"), 404, "not_found")
    refusal(http.post("/v1/registry/%00", json={}), 404, "unknown_command")
    for form in ({"division": "3502\0"}, {"di\0vision": "350211000000"}):
        refusal(http.post("/v1/uploads", headers=key(), data=form, files={"file": ("a\0.csv", b"x")}), 422, "bad_input")
    bomb = gzip.compress(b" " * 10_000_000 + b"{}")
    answer = http.post(FIGURES, content=bomb, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    refusal(answer, 415, "wrong_content_type")
