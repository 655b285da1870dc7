"""AsyncAPI 3 of the event streams: a channel for each stream, a message for each event, all from the contracts."""

from __future__ import annotations

from functools import cache

import msgspec

from banyan.kernel.message import Event
from banyan.kernel.personal import private_fields
from services.gateway.operations import events
from services.gateway.schemas import Schema, event_schema

VERSION = "1"
CONTENT_TYPE = "application/cloudevents+json"
TEXT: Schema = {"type": "string"}
POSITION: Schema = {"type": "string", "pattern": "^[0-9]+$"}
ENVELOPE: Schema = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0。salt、salts、leaves、digest、chain 不在摘要之内，按 docs/proof.md 校验。",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": TEXT,
        "type": TEXT,
        "subject": TEXT,
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": TEXT,
        "stream": TEXT,
        "streamposition": POSITION,
        "aggregateversion": POSITION,
        "effectiveon": {"type": "string", "format": "date"},
        "recordedat": {"type": "string", "format": "date-time"},
        "knownat": {"type": "string", "format": "date-time"},
        "personal": {"type": "string", "contentEncoding": "base64", "description": "以本人密钥加密的个人信息"},
        "traceparent": TEXT,
        "salt": TEXT,
        "salts": {"type": "string", "description": "仅示部分字段时：所示各字段的盐值"},
        "leaves": {"type": "string", "description": "仅示部分字段时：未示各字段的叶值"},
        "digest": TEXT,
        "chain": TEXT,
    },
    "required": ["specversion", "id", "source", "type", "stream", "streamposition", "digest", "chain"],
}


@cache
def document() -> bytes:
    """The text that stands at /asyncapi.json and in docs/asyncapi.json."""
    return msgspec.json.format(msgspec.json.encode(_document()), indent=1) + b"\n"


def _document() -> Schema:
    by_stream: dict[str, list[type[Event]]] = {}
    for event in events().values():
        by_stream.setdefault(event.stream, []).append(event)
    schemas: dict[str, Schema] = {"CloudEvent": ENVELOPE}
    for event in events().values():
        schemas[event.__name__], parts = event_schema(event, "#/components/schemas/{name}")
        schemas.update(parts)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "榕 · 事件流", "version": VERSION, "description": "每个流的事件有连续的位置与摘要链。"},
        "defaultContentType": CONTENT_TYPE,
        "channels": {stream: _channel(stream, kinds) for stream, kinds in by_stream.items()},
        "operations": {stream: _operation(stream) for stream in by_stream},
        "components": {
            "messages": {event.__name__: _message(event) for event in events().values()},
            "schemas": schemas,
        },
    }


def _channel(stream: str, kinds: list[type[Event]]) -> Schema:
    messages = {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in kinds}
    return {"address": stream, "description": f"HTTP：GET /v1/streams/{stream}", "messages": messages}


def _operation(stream: str) -> Schema:
    return {"action": "send", "channel": {"$ref": f"#/channels/{stream}"}}


def _message(event: type[Event]) -> Schema:
    data = {"$ref": f"#/components/schemas/{event.__name__}"}
    own: Schema = {"properties": {"type": {"const": event.type_name()}, "data": data}, "required": ["data"]}
    sealed = private_fields(event)
    return {
        "name": event.type_name(),
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"}, own]},
        **({"x-personal": list(sealed)} if sealed else {}),
        **({"x-replaces": True} if event.replaces else {}),
    }
