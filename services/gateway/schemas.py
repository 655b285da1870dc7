"""JSON Schemas of the contracts: what OpenAPI and AsyncAPI are made of, and what `dataschema` of an event leads to."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any, get_args

import msgspec
from msgspec import inspect

from banyan.kernel.message import Event
from banyan.kernel.personal import Private, declared, private_fields
from banyan.wire.bodies import parts
from banyan.wire.canonical import LARGEST_INTEGER

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BOUNDS = (("minimum", "exclusiveMinimum", -LARGEST_INTEGER), ("maximum", "exclusiveMaximum", LARGEST_INTEGER))
REF = "#/components/schemas/{name}"

Schema = dict[str, Any]


def components(types: Iterable[Any], ref_template: str = REF) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """(type → its schema or reference, name → schema); personal fields say what they are kept for."""
    wanted = list(dict.fromkeys(types))
    references, found = msgspec.json.schema_components(wanted, schema_hook=_sealed, ref_template=ref_template)
    _say_instants(wanted, found)
    _say_bounds(found)
    for schema in found.values():
        if "description" in schema:  # docstrings: from Python 3.13 on the compiler takes their indentation away
            schema["description"] = cleandoc(schema["description"])
    by_type = dict(zip(wanted, references, strict=True))
    for kind, reference in by_type.items():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            _say_personal(found[reference["$ref"].rpartition("/")[2]], kind)
    return by_type, found


def event_schema(event: type[Event], ref_template: str = "#/$defs/{name}") -> tuple[Schema, dict[str, Schema]]:
    """(schema of an event's `data`, the schemas it refers to); what is private travels sealed, beside the data."""
    _, found = components([event], ref_template)
    schema = found.pop(event.__name__)
    for name in private_fields(event):
        schema["properties"].pop(name, None)
        schema["required"] = [other for other in schema.get("required", []) if other != name]
    return schema, found


def event_document(event: type[Event]) -> Schema:
    """The whole schema of an event's `data`, as it stands at /v1/schemas/<type>."""
    schema, found = event_schema(event)
    head = {"$schema": DIALECT, "$id": f"/v1/schemas/{event.type_name()}"}
    return {**head, **schema, **({"$defs": found} if found else {})}


def _say_instants(wanted: list[Any], found: dict[str, Schema]) -> None:
    """msgspec says `date-time` only where a time zone is demanded; readers are told in any case."""
    waiting = list(inspect.multi_type_info([kind for kind in wanted if kind is not msgspec.Raw]))
    seen: set[type] = set()
    while waiting:
        info = waiting.pop()
        waiting += parts(info)
        if not isinstance(info, inspect.StructType) or info.cls in seen:
            continue
        seen.add(info.cls)
        waiting += [field.type for field in info.fields]
        for field in info.fields:
            if inspect.DateTimeType in {type(part) for part in (field.type, *parts(field.type))}:
                property_ = found[info.cls.__name__]["properties"][field.encode_name]
                for schema in (property_, *property_.get("anyOf", ())):
                    if schema.get("type") == "string":
                        schema["format"] = "date-time"


def _say_bounds(schema: Any) -> None:
    """Whole numbers without bounds of their own have those that hold for every message."""
    if isinstance(schema, dict) and schema.get("type") == "integer":
        for name, exclusive, bound in BOUNDS:
            if exclusive not in schema:
                schema.setdefault(name, bound)
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _say_bounds(part)


def _say_personal(schema: Schema, kind: type) -> None:
    for name, about in declared(kind).items():
        schema["properties"][name]["x-personal"] = {
            "kind": about.kind,
            "purpose": about.purpose,
            "retention_days": about.retention_days,
            "sensitive": about.sensitive,
        }


def _sealed(kind: Any) -> Schema:
    if kind is Private or Private in get_args(kind):
        return {"type": "string", "description": "sealed"}
    raise TypeError(f"{kind} has no JSON schema")
