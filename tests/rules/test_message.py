"""Contracts: names follow from the class, unknown fields of orders are refused, of events passed over."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, ClassVar

import msgspec
import pytest

import banyan.contracts
from banyan.kernel.message import ANYONE, Bulk, Command, Event, Query, contracts, snake

SERVICES = ("identity", "registry", "matching", "insight")


class PaintBench(Command, frozen=True, kw_only=True):
    """油漆一张长椅。"""

    bench_id: str
    colour: str = "绿"
    version: int | None = None


class BenchPainted(Event, frozen=True, kw_only=True):
    """A bench has a colour."""

    stream: ClassVar = "park.bench"
    bench_id: str
    coats: int = 1


class BenchRepainted(BenchPainted, frozen=True, kw_only=True):
    """The second version of the same fact."""

    schema_version: ClassVar = 2


def test_names_follow_from_the_class() -> None:
    assert [snake(name) for name in ("ApprovePerson", "SeeQR2Code", "X")] == ["approve_person", "see_qr2_code", "x"]
    assert PaintBench.method() == "paint_bench"
    assert BenchPainted.type_name() == "cn.banyan.park.bench.painted.v1"
    assert BenchRepainted.type_name() == "cn.banyan.park.bench.repainted.v2"


def test_an_order_with_an_unknown_field_is_refused_so_that_no_typing_error_is_lost() -> None:
    assert msgspec.json.decode(b'{"bench_id":"b-1"}', type=PaintBench).colour == "绿"
    with pytest.raises(msgspec.ValidationError, match="color"):
        msgspec.json.decode(b'{"bench_id":"b-1","color":"red"}', type=PaintBench)


def test_an_event_with_a_field_of_a_newer_release_is_read_and_an_older_one_gets_the_default() -> None:
    newer: Any = {"bench_id": "b-1", "coats": 2, "weather": "晴"}
    assert msgspec.convert(newer, BenchPainted, strict=False) == BenchPainted(bench_id="b-1", coats=2)
    assert msgspec.convert({"bench_id": "b-1"}, BenchPainted, strict=False).coats == 1


def test_a_message_is_never_changed() -> None:
    with pytest.raises(AttributeError):
        PaintBench(bench_id="b-1").colour = "红"  # type: ignore[misc]


def _all(kind: type[Any]) -> list[type[Any]]:
    names = [m.name for m in pkgutil.iter_modules(banyan.contracts.__path__) if m.name in SERVICES]
    assert len(names) == len(SERVICES)
    return [c for name in names for c in contracts(importlib.import_module(f"banyan.contracts.{name}"), kind)]


def test_every_order_says_who_may_and_no_two_have_one_name() -> None:
    asks = [*_all(Command), *_all(Query)]
    assert len(asks) > 100
    for ask in asks:
        assert ask.may, ask.__name__
        assert ask.__doc__ and any("\u4e00" <= letter <= "\u9fff" for letter in ask.__doc__), ask.__name__
        assert ask.__struct_config__.frozen and ask.__struct_config__.forbid_unknown_fields, ask.__name__
    names = [(ask.service(), ask.method()) for ask in asks]
    assert len(set(names)) == len(names)


def test_what_anyone_may_order_is_few_and_named() -> None:
    open_to_all = {f"{c.service()}.{c.method()}" for c in _all(Command) if ANYONE in c.may}
    assert all(name.startswith(("identity.", "matching.")) for name in open_to_all), open_to_all


def test_every_event_stands_in_a_stream_of_its_service_and_carries_no_float() -> None:
    events = _all(Event)
    types = [event.type_name() for event in events]
    assert len(set(types)) == len(types) and len(types) > 40
    for event in events:
        assert event.stream.split(".")[0] == event.service(), event.__name__
        assert "float" not in str(event.__annotations__), event.__name__


def test_a_bulk_order_is_made_of_orders_of_its_own_service() -> None:
    bulks = _all(Bulk)
    assert bulks
    for bulk in bulks:
        assert issubclass(bulk.each, Command) and not issubclass(bulk.each, Bulk)
        assert bulk.each.service() == bulk.service()
        assert 1 <= bulk.limit <= 500
