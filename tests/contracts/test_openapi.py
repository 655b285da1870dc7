"""The documents in docs/ follow from the contracts; `python -m services.gateway.texts` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.gateway import asyncapi, openapi
from services.gateway.operations import events, operations, words
from services.gateway.schemas import event_document
from services.gateway.texts import DOCUMENTS

DOCS = Path(__file__).parents[2] / "docs"
OPENAPI = json.loads(openapi.document())
ASYNCAPI = json.loads(asyncapi.document())


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_document_kept_is_the_one_that_follows_from_the_contracts(name: str) -> None:
    assert (DOCS / name).read_bytes() == DOCUMENTS[name](), "python -m services.gateway.texts"


def references(value: Any) -> set[str]:
    """Every $ref of a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert len(found) > 50
    for reference in found:
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


def test_every_command_and_query_has_its_address_summary_and_duties() -> None:
    assert set(words()) >= {"identity", "registry", "matching"}
    for (service, method), one in operations().items():
        told = OPENAPI["paths"][f"/v1/{service}/{method}"]["post"]
        assert told["x-may"] == list(one.ask.may) and told["operationId"] == f"{service}.{method}"
        assert any("\u4e00" <= sign <= "\u9fff" for sign in told["summary"]), told["operationId"]
        key = {"$ref": "#/components/parameters/IdempotencyKey"} in told["parameters"]
        assert key == one.is_command and told["responses"]["4XX"]


def test_personal_fields_say_what_they_are_kept_for() -> None:
    number = OPENAPI["components"]["schemas"]["RegisterPerson"]["properties"]["document_number"]
    assert number["x-personal"]["sensitive"] and number["x-personal"]["purpose"]


def test_every_event_is_a_message_of_its_stream_and_has_a_schema() -> None:
    for type_, event in events().items():
        channel = ASYNCAPI["channels"][event.stream]
        assert event.__name__ in channel["messages"]
        assert ASYNCAPI["components"]["messages"][event.__name__]["name"] == type_
        assert event_document(event)["$id"] == f"/v1/schemas/{type_}"


def test_no_two_contracts_share_a_name() -> None:
    names = [one.ask.__name__ for one in operations().values() if one.ask.__module__.endswith(one.service)]
    names += [event.__name__ for event in events().values()]
    assert len(names) == len(set(names))
