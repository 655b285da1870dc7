"""What a body must keep to so that every part can hold it: no NUL, no number or day that others cannot read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from banyan.contracts import identity, insight, matching, registry
from banyan.kernel.message import Command, Query, contracts
from banyan.kernel.refusal import Refused
from banyan.wire.bodies import bounded, decoded


class Inner(msgspec.Struct, frozen=True):
    on: dt.date | None = None


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of each kind."""

    text: str = ""
    number: int = 0
    at: dt.datetime | None = None
    items: tuple[Inner, ...] = ()
    counts: dict[str, int] = {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"text":"a\\u0000b"}', "$.text"),
        (b'{"counts":{"a\\u0000":1}}', "$.counts"),
        (b'{"number":9007199254740992}', "$.number"),
        (b'{"number":-9007199254740992}', "$.number"),
        (b'{"counts":{"a":99999999999999999999}}', "$.counts.a"),
        (b'{"items":[{},{"on":"0001-01-01"}]}', "$.items[1].on"),
        (b'{"items":[{"on":"\\u0030001-01-01"}]}', "$.items[0].on"),
        (b'{"items":[{"on":"3000-01-01"}]}', "$.items[0].on"),
        (b'{"at":"2026-11-26T12:00:00"}', "$.at"),
        (b'{"at":"9999-12-31T23:59:59-12:00"}', "$.at"),
        (b'{"text":"\\ud800"}', "$"),
        (b'{"text":"\\udc00x"}', "$"),
        (b'{"text":"\xff"}', "$"),
        (b'{"text":"\xed\xa0\x80"}', "$"),
        (b'{"number":NaN}', "$"),
        (b'{"number":-Infinity}', "$"),
        (b'{"number":1e400}', "$.number"),
        (b'{"number":1.0}', "$.number"),
        (b'{"number":' + b"9" * 5000 + b"}", "$.number"),
        (b'{"what":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "$"),
        (b"\xef\xbb\xbf{}", "$"),
        (b"", "$"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, bytes) else "",
)
def test_what_no_part_could_hold_is_refused_with_its_field(body: bytes, field: str) -> None:
    with pytest.raises(Refused) as refused:
        decoded(body, Shape)
    assert (refused.value.code, refused.value.facts["field"]) == ("bad_input", field)
    assert refused.value.facts["detail"]


def test_what_only_looks_like_it_is_taken() -> None:
    body = (
        b'{"text":"\\\\u0000 9007199254740999 0001-01-01","number":9007199254740991,"at":"2026-11-26T12:00:00+08:00"}'
    )
    assert decoded(body, Shape).text == "\\u0000 9007199254740999 0001-01-01"
    assert decoded(b'{"number":1,"number":2}', Shape).number == 2


def test_every_day_and_instant_of_the_contracts_is_looked_at() -> None:
    def holds(kind: Any) -> bool:
        return "format': 'date" in str(msgspec.json.schema(kind))

    asks = [
        ask
        for module in (identity, registry, matching, insight)
        for k in (Command, Query)
        for ask in contracts(module, k)
    ]
    dated = [ask for ask in asks if holds(ask)]
    assert len(dated) > 20
    assert all(bounded(ask) for ask in dated)


@pytest.mark.parametrize("asked", [matching.RankWorkers, matching.ProposeWorkers])
@pytest.mark.parametrize("k", [-1, 0, 501, 10**8])
def test_nobody_asks_for_more_workers_than_an_answer_holds_nor_for_none(asked: type[Any], k: int) -> None:
    with pytest.raises(Refused) as refused:
        decoded(msgspec.json.encode({"request_id": "q-1", "k": k}), asked)
    assert (refused.value.code, refused.value.facts["field"]) == ("bad_input", "$.k")
    assert decoded(b'{"request_id":"q-1","k":500}', asked).k == 500
