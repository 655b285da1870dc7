"""The RPC envelope: what a request and its answer look like as bytes. Pure; used by every client and by the server.

It is stock nameko's: a request is `{"args": [body], "kwargs": {}}` on routing key `<service>.<method>`, an answer is
`{"result": ..., "error": ...}`, the rest travels in headers. Bodies and results are spliced in, never re-encoded.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from banyan.kernel.refusal import Refused

EXCHANGE = "nameko-rpc"
"""The durable topic exchange that requests go through, and answers to callers that have a reply queue of their own."""
QUEUE_PREFIX = "rpc-"
DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"
CONTENT_TYPE = "application/json"
BODY_LIMIT_BYTES = 1 << 20
ENVELOPE_BYTES = 4096
"""Room that a foreign caller's envelope may take around a body of the greatest size."""
DEFAULT_TIMEOUT_MS = 10_000
"""What a call without a deadline of its own gets, counted from its arrival."""
KEY_CHARACTERS = 200
KEY_FORM = re.compile(rf"[!-~]{{1,{KEY_CHARACTERS}}}")
"""An idempotency key is a short word of printable ASCII, whoever makes it."""
TRACEPARENT_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context; anything else is passed over, for it would be kept with the event."""

TOKEN, KEY, DEADLINE, TRACEPARENT = "nameko.token", "nameko.idempotency_key", "nameko.deadline", "traceparent"
CONTEXT_PREFIX = "nameko."
Kind = Literal["banyan", "stock"]
"""Whom a client calls: our own services, or those of stock nameko, which can only answer to a named reply queue."""
REFUSED_PATH = f"{Refused.__module__}.{Refused.__qualname__}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `body` is the JSON of its one argument; `deadline_ms` is absolute, in epoch milliseconds."""

    service: str
    method: str
    body: bytes
    token: str | None = None
    key: str | None = None
    deadline_ms: int = 0
    traceparent: str | None = None
    redelivered: bool = False


class _Request(msgspec.Struct):
    args: list[msgspec.Raw]
    kwargs: dict[str, msgspec.Raw]


class _Error(msgspec.Struct):
    exc_type: str = ""
    exc_path: str = ""
    exc_args: list[Any] = []
    value: Any = None


class _Reply(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


_REQUEST = msgspec.json.Decoder(_Request)
_REPLY = msgspec.json.Decoder(_Reply)
_ENCODER = msgspec.json.Encoder(enc_hook=str)
_STOCK_CODES = {"MethodNotFound": "unknown_command", "IncorrectSignature": "bad_input", "MalformedRequest": "bad_input"}


def queue_name(service: str) -> str:
    """The durable queue of a service, the same as stock nameko's."""
    return QUEUE_PREFIX + service


def reply_queue(kind: Kind) -> str:
    """Where the answers to a client go: the broker's direct reply-to, or a queue of its own, bound by its name."""
    return DIRECT_REPLY_TO if kind == "banyan" else f"rpc.reply-banyan-{uuid.uuid4()}"


def routing_key(service: str, method: str) -> str:
    """`<service>.<method>`; a name that is not a plain word could reach another queue, so it is refused."""
    if not (service.replace("-", "_").isidentifier() and method.isidentifier()):
        raise Refused("unknown_command", service=service, method=method)
    return f"{service}.{method}"


def json_bytes(value: Mapping[str, Any] | bytes) -> bytes:
    """The JSON of an argument or a result; bytes are JSON already and pass as they are."""
    return value if isinstance(value, bytes) else _ENCODER.encode(value)


def encode_request(call: Call) -> tuple[bytes, dict[str, str | int]]:
    """The message body and the headers of a call; refuses `too_large` above 1 MiB."""
    refuse_too_large(call.body)
    headers: dict[str, str | int] = {DEADLINE: call.deadline_ms}
    for name, value in ((TOKEN, call.token), (KEY, call.key), (TRACEPARENT, call.traceparent)):
        if value is not None:
            headers[name] = value
    return b'{"args":[%b],"kwargs":{}}' % call.body, headers


def decode_request(
    service: str,
    routing_key: str,
    body: bytes,
    headers: Mapping[str, Any],
    *,
    redelivered: bool,
    now_ms: int,
    content_type: str | None = None,
) -> Call:
    """The call that a message for this service carries. Refuses `bad_input`, `unknown_command` and `too_large`."""
    if content_type not in (None, "", CONTENT_TYPE):
        raise Refused("bad_input", reason="content_type", content_type=str(content_type)[:80])
    if len(body) > BODY_LIMIT_BYTES + ENVELOPE_BYTES:
        raise Refused("too_large", bytes=len(body), limit_bytes=BODY_LIMIT_BYTES)
    argument = _one_argument(body)
    refuse_too_large(argument)
    method = routing_key.removeprefix(f"{service}.")
    if method == routing_key or not method.isidentifier():
        raise Refused("unknown_command", service=service, command=method[:80])
    deadline_ms = headers.get(DEADLINE)
    if deadline_ms is not None and (not isinstance(deadline_ms, int) or isinstance(deadline_ms, bool)):
        raise Refused("bad_input", reason="header", header=DEADLINE)
    return Call(
        service=service,
        method=method,
        body=argument,
        token=_text(headers, TOKEN),
        key=_key(headers),
        deadline_ms=now_ms + DEFAULT_TIMEOUT_MS if deadline_ms is None else deadline_ms,
        traceparent=traceparent_in(headers.get(TRACEPARENT) or headers.get(CONTEXT_PREFIX + TRACEPARENT)),
        redelivered=redelivered,
    )


def encode_result(result: bytes) -> bytes:
    """The answer around a result that is JSON already; refuses `too_large` above 1 MiB."""
    refuse_too_large(result)
    return b'{"result":%b,"error":null}' % result


def encode_refusal(refused: Refused) -> bytes:
    """The answer that says no: a nameko error `Refused` whose arguments are (code, facts)."""
    facts = dict(refused.facts)
    shown = f"{refused.code} {_ENCODER.encode(facts).decode()}" if facts else refused.code
    error = {"exc_type": "Refused", "exc_path": REFUSED_PATH, "exc_args": [refused.code, facts], "value": shown}
    return _ENCODER.encode({"result": None, "error": error})


def decode_reply(body: bytes) -> bytes:
    """The result as raw JSON; raises the `Refused` that the other side sent, or one that names a stock error."""
    try:
        reply = _REPLY.decode(body)
    except msgspec.MsgspecError as error:
        raise Refused("internal", reason="reply_not_understood") from error
    if reply.error is None:
        return bytes(reply.result)
    raise _refusal_of(reply.error)


def context_data(headers: Mapping[str, Any]) -> dict[str, Any]:
    """What nameko calls context data: the headers under its prefix, without it."""
    return {name[len(CONTEXT_PREFIX) :]: value for name, value in headers.items() if name.startswith(CONTEXT_PREFIX)}


def refuse_too_large(body: bytes) -> None:
    """Refuses `too_large` above 1 MiB."""
    if len(body) > BODY_LIMIT_BYTES:
        raise Refused("too_large", bytes=len(body), limit_bytes=BODY_LIMIT_BYTES)


def _one_argument(body: bytes) -> bytes:
    try:
        request = _REQUEST.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Refused("bad_input", reason="envelope") from error
    if len(request.args) == 1 and not request.kwargs:
        return bytes(request.args[0])
    if not request.args and list(request.kwargs) == ["body"]:
        return bytes(request.kwargs["body"])
    raise Refused("bad_input", reason="one_argument", args=len(request.args), kwargs=sorted(request.kwargs)[:10])


def _text(headers: Mapping[str, Any], name: str) -> str | None:
    value = headers.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Refused("bad_input", reason="header", header=name)


def _key(headers: Mapping[str, Any]) -> str | None:
    key = _text(headers, KEY)
    if key and not KEY_FORM.fullmatch(key):
        raise Refused("bad_input", reason="header", header=KEY, limit=KEY_CHARACTERS)
    return key


def traceparent_in(given: object) -> str | None:
    """What a caller says of its trace, where it says it rightly."""
    return given if isinstance(given, str) and TRACEPARENT_FORM.fullmatch(given) else None


def _refusal_of(error: _Error) -> Refused:
    if error.exc_type == "Refused" and len(error.exc_args) == 2:
        code, facts = error.exc_args
        if isinstance(code, str) and isinstance(facts, dict):
            return Refused(code, **{str(name): value for name, value in facts.items() if name not in ("self", "code")})
    code = _STOCK_CODES.get(error.exc_type, "internal")
    return Refused(code, remote=error.exc_type, value=str(error.value)[:500])
