"""Canonical bytes, digests and chains: one form only, the same in every language, and nothing gets past them."""

from __future__ import annotations

import base64
import hashlib
import json
from enum import StrEnum
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from banyan.kernel.refusal import Refused
from banyan.wire.canonical import Unprovable, canonical, decode
from banyan.wire.chain import Head, digest, extend, genesis, head_bytes, link
from banyan.wire.cloudevents import parse, partial, redacted, row_members, spliced
from tests.proofs import event, items, salt_of

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=300, print_blob=True)
def test_the_fast_form_is_the_one_that_rfc8785_writes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert decode(canonical(value)) == value


def test_control_characters_and_slashes_as_in_the_rfc() -> None:
    every = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028€😀'
    assert canonical([every]) == rfc8785.dumps([every])


def test_keys_sort_by_utf16_units_not_by_code_points() -> None:
    assert canonical({"\ufb33": 1, "😀": 2, "a": 3}) == '{"a":3,"😀":2,"\ufb33":1}'.encode()


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"a": [1.0]}, "float"),
        (float("nan"), "float"),
        ({1: "a"}, "key_not_string"),
        ({Colour.RED: 1}, "key_not_string"),
        ([2**53], "integer_too_large"),
        ([-(2**53)], "integer_too_large"),
        ({"a": b"x"}, "not_json_type"),
        (Colour.RED, "not_json_type"),
        ({"a": {1}}, "not_json_type"),
        ("\ud800", "not_unicode"),
        ({"\ud800": 1}, "not_unicode"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_name(value: Any, what: str) -> None:
    with pytest.raises(Unprovable) as refused:
        canonical(value)
    assert refused.value.what == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a":1,"a":1}', "key_twice"),
        ('{"b":{"a":1,"\\u0061":2}}', "key_twice"),
        ("[1.0]", "float"),
        ("[1e3]", "float"),
        ("[NaN]", "float"),
        ("[9007199254740992]", "integer_too_large"),
        ("[" * 100_000, "not_json"),
        ('{"a":1} {}', "not_json"),
        (b"\xff", "not_json"),
    ],
)
def test_reading_repairs_nothing(text: str | bytes, what: str) -> None:
    with pytest.raises(Unprovable) as refused:
        decode(text)
    assert refused.value.what == what


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_the_chain_is_the_formula_of_the_document() -> None:
    salt, envelope = bytes(range(16)), sha(b"envelope", bytes(range(16)))[:16]
    start = sha(b"banyan.stream.v1:registry.person")
    assert genesis("registry.person") == start
    assert start.hex() == "ff430df3f550cd86507f78571af814aa4461e7da363ddb88d5b4d5ba1dc0b8c0"
    row = sha(envelope, b'{"a":1}')
    assert extend(start, [(salt, {"a": 1})]) == [(b'{"a":1}', row, sha(start, row))]
    leaves = [
        sha(sha(b"field", salt, name.encode())[:16], text).hex()
        for name, text in (("b", '{"b":"中"}'.encode()), ("personal", b'{"personal":"x"}'))
    ]
    of_event = '{"a":1,"leaves":{"b":"%s","personal":"%s"}}' % tuple(leaves)  # noqa: UP031
    assert digest(salt, {"a": 1, "data": {"b": "中"}, "personal": "x"}) == sha(envelope, of_event.encode())
    assert digest(salt, {"a": 1, "data": {}}) == sha(envelope, b'{"a":1,"leaves":{}}')


@pytest.mark.parametrize(
    "row", [{"leaves": {}}, {"data": None}, {"data": "a"}, {"data": {"personal": "x"}}, {"data": {}, "leaves": ""}]
)
def test_a_row_that_could_be_read_in_two_ways_is_no_row(row: dict[str, Any]) -> None:
    with pytest.raises(Unprovable):
        digest(bytes(16), row)


def test_a_hash_that_is_only_agreed_upon_is_refused_never_replaced() -> None:
    for alg in ("sm3", "md5"):
        with pytest.raises(Refused):
            digest(bytes(16), {}, alg)
        with pytest.raises(Refused) as refused:
            genesis("s", alg)
        assert refused.value.code == "algorithm_unavailable" and refused.value.facts["available"] == ["sha-256"]


@pytest.mark.parametrize("wrong", [b"", bytes(15), bytes(17)])
def test_lengths_are_checked_since_the_parts_are_not_separated(wrong: bytes) -> None:
    with pytest.raises(Unprovable):
        digest(wrong, {})
    with pytest.raises(Unprovable):
        link(wrong, bytes(32))
    with pytest.raises(Unprovable):
        link(bytes(32), wrong)


def test_a_head_is_signed_over_everything_but_its_signature() -> None:
    head = Head("registry.person", "12", "00", "sha-256", "ed25519", "k", "2026-03-01T00:00:00Z", "c2lnbmVk")
    assert json.loads(head_bytes(head)) == {
        name: text for name, text in msgspec.to_builtins(head).items() if name != "signature"
    }


@given(st.dictionaries(st.text("abcdefgh", min_size=1), VALUES, max_size=5), st.binary(min_size=16, max_size=16))
@settings(print_blob=True)
def test_what_is_spliced_is_taken_apart_to_the_stored_bytes(row: dict[str, Any], salt: bytes) -> None:
    ((body, row_digest, chain),) = extend(genesis("audit.registry"), [(salt, row_members("audit.registry", 1, row))])
    travelled = spliced(body, salt, row_digest, chain)
    assert travelled.startswith(body[:-1])
    assert parse(travelled) == parse(json.loads(travelled)) == ("whole", row_digest, chain, row_digest)


def test_an_event_is_a_cloudevent_with_positions_as_strings() -> None:
    body = event(2)
    assert body["specversion"] == "1.0" and body["source"] == "/banyan/registry" and body["time"] == body["recordedat"]
    assert (body["streamposition"], body["aggregateversion"]) == ("2", "3")
    assert base64.b64decode(body["personal"]) == b"sealed 2" and "personal" not in event(1)
    assert all(name.isalnum() and name == name.lower() for name in body)


def test_a_redacted_item_shows_nothing_but_its_place_in_the_chain() -> None:
    item = redacted("registry.person", 7, b"d" * 32, b"c" * 32)
    assert set(json.loads(item)) == {"specversion", "stream", "streamposition", "redacted", "digest", "chain"}
    assert parse(item) == ("redacted", b"d" * 32, b"c" * 32, None)


FIELDS = st.dictionaries(st.text("abcdef_", min_size=1), VALUES, max_size=5)


@given(FIELDS, st.none() | st.text("xyz", min_size=4), st.data())
@settings(print_blob=True)
def test_what_is_shown_in_part_proves_itself_and_shows_no_more(
    fields: dict[str, Any], personal: str | None, data: st.DataObject
) -> None:
    members = {"stream": "s", "data": fields, **({"personal": personal} if personal else {})}
    ((body, row, chain),) = extend(genesis("s"), [(salt_of(1), members)])
    shown = data.draw(st.sets(st.sampled_from([*fields, "personal", "*", "unknown"])))
    item = json.loads(partial(body, salt_of(1), row, chain, shown))
    names = set(fields) if "*" in shown else shown & set(fields)
    assert item["data"] == {name: fields[name] for name in names}
    assert item.get("personal") == (personal if "personal" in shown else None)
    withheld = (set(fields) - names) | ({"personal"} if personal and "personal" not in shown else set())
    assert parse(item) == ("partial" if withheld else "whole", row, chain, row)
    assert {pair.partition(":")[0] for pair in item.get("leaves", "").split()} == withheld
    if withheld:
        assert base64.b64encode(salt_of(1)).decode() not in item.values()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"salts": ""}, "fields"),
        ({"salts": "level"}, "salts"),
        ({"salts": None}, "salts"),
        ({"salts": "level:AAAA person_id:AAAA"}, "salt"),
        ({"leaves": "checked"}, "leaves"),
        ({"leaves": {"checked": "00"}}, "leaves"),
        ({"data": None}, "data"),
        ({"salt": "AAAA"}, "salt"),
    ],
)
def test_an_item_shown_in_part_is_read_strictly(change: dict[str, Any], what: str) -> None:
    (item,) = items([event(1)], shown={1: ("level", "person_id")})
    assert parse(item).found == parse(item).digest
    with pytest.raises(Unprovable) as refused:
        parse(json.loads(item) | change)
    assert refused.value.what == what


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"digest": "A" * 64}, "digest"),
        ({"digest": "a" * 63 + " "}, "digest"),
        ({"chain": "é" * 64}, "chain"),
        ({"chain": None}, "chain"),
        ({"salt": "AAAAAAAAAAAAAAAAAAAAAB=="}, "salt"),
        ({"salt": "AAAA AAAAAAAAAAAAAAAAAA=="}, "salt"),
        ({"salt": "é"}, "salt"),
        ({"salt": 5}, "salt"),
        ({"redacted": True}, "redacted_form"),
    ],
)
def test_the_proof_has_one_spelling(change: dict[str, Any], what: str) -> None:
    with pytest.raises(Unprovable) as refused:
        parse(json.loads(items([event(1)])[0]) | change)
    assert refused.value.what == what


def test_an_item_is_an_object() -> None:
    for text in ("[]", "null", '"a"', "1"):
        with pytest.raises(Unprovable):
            parse(text)
