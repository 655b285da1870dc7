"""The smallest JSON that a type allows: what a stand-in service answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

PLAIN = {
    inspect.AnyType: None,
    inspect.RawType: {},
    inspect.NoneType: None,
    inspect.BoolType: False,
    inspect.DateType: "2026-01-01",
    inspect.DateTimeType: "2026-01-01T00:00:00Z",
    inspect.DictType: {},
    inspect.BytesType: "",
}


def smallest(kind: Any) -> bytes:
    """JSON of an instance of the type, every optional field left out."""
    return msgspec.json.encode(_value(inspect.type_info(kind)))


def _value(info: Any) -> Any:
    kind = type(info)
    return MADE[kind](info) if kind in MADE else PLAIN[kind]


def _some(info: Any) -> Any:
    return [_value(info.item_type)] * (info.min_length or 0)


MADE: dict[type, Callable[[Any], Any]] = {
    inspect.StructType: lambda info: {f.encode_name: _value(f.type) for f in info.fields if f.required},
    inspect.UnionType: lambda info: None if info.includes_none else _value(info.types[0]),
    inspect.LiteralType: lambda info: info.values[0],
    inspect.Metadata: lambda info: _value(info.type),
    inspect.StrType: lambda info: "0" * 12 if info.pattern else "x" * (info.min_length or 0),
    inspect.IntType: lambda info: info.ge or 0,
    inspect.TupleType: lambda info: [_value(item) for item in info.item_types],
    inspect.ListType: _some,
    inspect.VarTupleType: _some,
}
