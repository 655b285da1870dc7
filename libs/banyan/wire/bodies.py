"""A JSON body becomes a message: by its shape, and by what every message must keep to so that all parts can hold it.

No text holds NUL (PostgreSQL keeps none), no number is above 2^53 - 1 (other languages read no larger one exactly), an
instant says its zone, and every day lies in the years 1800 to 2999, so that no calculation with it leaves the calendar.
A key given twice means its last value, here as everywhere behind the gateway.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from banyan.kernel.refusal import Refused
from banyan.wire.canonical import LARGEST_INTEGER

YEARS = range(1800, 3000)
NUL = "\0"
_ESCAPED_NUL = b"\\u0000"
_BOUNDED = (inspect.IntType, inspect.DateType, inspect.DateTimeType)


def decoded(body: bytes, shape: type[Any]) -> Any:
    """The message; refuses `bad_input` with the field and what is wrong with it."""
    try:
        message = msgspec.json.decode(body, type=shape)
        if _ESCAPED_NUL in body:
            _refuse_first(_nul_in(msgspec.json.decode(body), "$"))
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at ")
        raise Refused("bad_input", field=path.strip("`") or "$", detail=detail) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_input", field="$", detail=str(error)[:200]) from None
    _refuse_first(_outside(message, "$"))
    return message


def refuse_nul(field: str, text: str) -> None:
    """Refuses `bad_input` for a text that cannot be kept."""
    if NUL in text:
        raise Refused("bad_input", field=field, detail=_NUL_DETAIL)


_NUL_DETAIL = "text without U+0000 is expected"


def _refuse_first(faults: Iterable[tuple[str, str]]) -> None:
    for field, detail in faults:
        raise Refused("bad_input", field=field, detail=detail)


def _nul_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of each text of a JSON value that holds NUL, names of members too."""
    if isinstance(value, str):
        if NUL in value:
            yield path, _NUL_DETAIL
    elif isinstance(value, dict):
        for name, member in value.items():
            if NUL in name:
                yield path, _NUL_DETAIL
            yield from _nul_in(member, f"{path}.{name}")
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _nul_in(item, f"{path}[{n}]")


def _outside(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of each number, day and instant that is out of bounds."""
    if isinstance(value, msgspec.Struct):
        for name in bounded(type(value)):
            yield from _outside(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _outside(member, f"{path}.{name}")
    elif isinstance(value, (tuple, list)):
        for n, item in enumerate(value):
            yield from _outside(item, f"{path}[{n}]")
    elif fault := _fault_of(value):
        yield path, fault


def _fault_of(value: Any) -> str:
    if isinstance(value, int) and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return f"a whole number within ±{LARGEST_INTEGER} is expected"
    if isinstance(value, dt.date) and value.year not in YEARS:
        return f"a year from {YEARS[0]} to {YEARS[-1]} is expected"
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return "an instant with its time zone is expected"
    return ""


@cache
def bounded(shape: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields that hold a number, a day or an instant somewhere: the only ones worth a look."""
    info = inspect.type_info(shape)
    assert isinstance(info, inspect.StructType)
    return tuple(field.name for field in info.fields if _may_be_outside(field.type, frozenset({shape})))


def _may_be_outside(info: Any, seen: frozenset[type]) -> bool:
    if isinstance(info, inspect.StructType):
        fields = () if info.cls in seen else info.fields
        return any(_may_be_outside(field.type, seen | {info.cls}) for field in fields)
    if isinstance(info, inspect.IntType) and info.ge is not None and info.le is not None:
        return False
    return isinstance(info, (*_BOUNDED, inspect.AnyType)) or any(_may_be_outside(p, seen) for p in parts(info))


def parts(info: Any) -> list[Any]:
    """The types that a union, a list, a tuple or a mapping is made of."""
    one = [getattr(info, name) for name in ("type", "item_type", "key_type", "value_type") if hasattr(info, name)]
    return one + list(getattr(info, "types", ())) + list(getattr(info, "item_types", ()))
