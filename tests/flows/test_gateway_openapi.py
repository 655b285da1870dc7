"""Schemathesis against the OpenAPI: what fits is taken, what does not is refused clearly, each as the document says."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from banyan.wire.canonical import LARGEST_INTEGER
from services.gateway.openapi import document
from tests.flows.gateway_processes import TOKEN, gateway, stand_ins

SEED = int(os.environ.get("BANYAN_TEST_SEED", "20261124"))
TIMEOUT = "Request-Timeout-Ms"
EXAMPLES = 4  # of each operation, with fitting and with wrong content
PROMISES = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
UPLOADS = {"gateway.upload", "registry.add_upload", "registry.keep_refused_rows"}  # files, tried with real ones in test_gateway_http.py
DAYS = st.dates(dt.date(1800, 1, 1), dt.date(2999, 12, 31)).map(dt.date.isoformat)
INSTANTS = st.builds("{}T{}Z".format, DAYS, st.times().map(dt.time.isoformat))
schemathesis.openapi.format("date-time", INSTANTS)
schemathesis.openapi.format("date", DAYS)

CONFIG = SchemathesisConfig(
    projects=ProjectsConfig(default=ProjectConfig(generation=GenerationConfig(allow_x00=False)))
)  # U+0000 is refused, as the document's prose says: a pattern at every text would hide the other patterns
SCHEMA = schemathesis.openapi.from_dict(json.loads(document()), config=CONFIG)
OPERATIONS = {one.ok().definition.raw["operationId"]: one.ok() for one in SCHEMA.get_all_operations()}


def whole(value: Any, *, fits: bool) -> Any:
    """15.0 is an integer to JSON Schema; contracts have no floats, so that it is written 15. What fits has no number
    that is too large for every message, also where anything may stand (a figure's value)."""
    if isinstance(value, dict):
        return {name: whole(part, fits=fits) for name, part in value.items()}
    if isinstance(value, list):
        return [whole(part, fits=fits) for part in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if fits and type(value) is int:
        return max(-LARGEST_INTEGER, min(LARGEST_INTEGER, value))
    return value


def wrong_part(case: schemathesis.Case) -> str:
    """What of the request does not fit, in schemathesis's words; empty where all fits."""
    return f"{case.meta.phase.data.description}" if case.meta else ""


@pytest.fixture(scope="module")
def http(rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("openapi")
    with stand_ins(rabbit, folder) as (_, url), gateway(url, folder) as client:
        yield client


def tried() -> list[Any]:
    """Every operation in both ways; a GET without content has nothing that could be wrong."""
    names = sorted(set(OPERATIONS) - UPLOADS)
    both = [(name, mode) for name in names for mode in schemathesis.GenerationMode]
    return [
        pytest.param(name, mode, id=f"{name}-{mode.value}")
        for name, mode in both
        if mode is schemathesis.GenerationMode.POSITIVE or OPERATIONS[name].method == "post"
    ]


@pytest.mark.parametrize(("name", "mode"), tried())
def test_the_document_is_true(name: str, mode: schemathesis.GenerationMode, http: httpx.Client) -> None:
    positive = mode is schemathesis.GenerationMode.POSITIVE
    checks = [*PROMISES, *(() if name.startswith("gateway.") else OF_MODE[positive])]

    @seed(SEED)
    @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=st.deferred(lambda: OPERATIONS[name].as_strategy(generation_mode=mode)))
    def hold(case: schemathesis.Case) -> None:
        assume(positive or "Authorization" not in wrong_part(case))  # the token is ours; tried elsewhere
        case.body = whole(case.body, fits=positive)
        if re.fullmatch("[1-9][0-9]{0,4}", str(case.headers.get(TIMEOUT, ""))) and int(case.headers[TIMEOUT]) <= 30_000:
            case.headers[TIMEOUT] = "30000"  # one of a millisecond would be kept, and prove nothing
        case.call_and_validate(base_url=str(http.base_url), headers=TOKEN, checks=checks)

    print(f"seed {SEED}")  # noqa: T201
    hold()


OF_MODE = {True: [positive_data_acceptance], False: [negative_data_rejection]}
