"""What is read from a request: its body, its headers, its query; each with a limit and a clear refusal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request

from banyan.kernel.refusal import Refused
from banyan.wire.rpc import BODY_LIMIT_BYTES, KEY_CHARACTERS, KEY_FORM

TIMEOUT_MS, TIMEOUT_MAX_MS = 10_000, 30_000
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
DISCARD_BYTES, DISCARD_S = 32 << 20, 10
"""How much of a body that is too large is read and thrown away, so that its sender gets to see the refusal."""


async def json_object(request: Request) -> bytes:
    """The body as it came, known to be one JSON object; refuses `wrong_content_type`, `too_large`, `not_json`."""
    require_type(request, "application/json")
    body = await limited(request, BODY_LIMIT_BYTES)
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("not_json", detail=str(error)) from None
    except RecursionError:
        raise Refused("not_json", detail="nested too deeply") from None
    if not isinstance(found, dict):
        raise Refused("not_json", detail="an object is expected")
    return body


def require_type(request: Request, wanted: str) -> None:
    """Refuses `wrong_content_type` with what is expected; a packed body is never unpacked."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise Refused("wrong_content_type", encoding=encoding[:80], expected="identity")
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != wanted:
        raise Refused("wrong_content_type", given=given[:80], expected=wanted)


async def limited(request: Request, limit_bytes: int) -> bytes:
    """The body, never more than the limit of it in memory; refuses `too_large`."""
    return b"".join([chunk async for chunk in chunks(request, limit_bytes)])


async def chunks(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body piece by piece; refuses `too_large` as soon as it is known to be."""
    declared = request.headers.get("content-length", "")
    stream, size = request.stream(), 0
    if declared.isdecimal() and int(declared) > limit_bytes:
        await _refuse_too_large(stream, limit_bytes)
    async for chunk in stream:
        size += len(chunk)
        if size > limit_bytes:
            await _refuse_too_large(stream, limit_bytes)
        yield chunk


async def _refuse_too_large(stream: AsyncIterator[bytes], limit_bytes: int) -> None:
    size = 0
    try:
        async with asyncio.timeout(DISCARD_S):
            async for chunk in stream:
                size += len(chunk)
                if size > DISCARD_BYTES:
                    break
    except TimeoutError:
        pass
    raise Refused("too_large", limit_bytes=limit_bytes)


def token_of(request: Request) -> str | None:
    """The bearer token; None without one; refuses `unauthenticated` for another scheme."""
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused("unauthenticated", reason="scheme", expected="Bearer")
    return token.strip()


def key_of(request: Request) -> str:
    """The idempotency key; refuses `key_missing`, and `bad_input` where it is no short ASCII word."""
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        raise Refused("key_missing", header="Idempotency-Key")
    if not KEY_FORM.fullmatch(key):
        raise Refused("bad_input", field="Idempotency-Key", limit=KEY_CHARACTERS)
    return key


def timeout_s_of(request: Request) -> float:
    """How long the caller waits: 10 s, or what Request-Timeout-Ms says, 30 s at the most."""
    given = request.headers.get("request-timeout-ms")
    return (TIMEOUT_MS if given is None else whole("Request-Timeout-Ms", given, 1, TIMEOUT_MAX_MS)) / 1000


def query(request: Request, name: str, default: int, highest: int, lowest: int = 0) -> int:
    """A whole number of the query string; refuses `bad_input`."""
    given = request.query_params.get(name)
    return default if given is None else whole(name, given, lowest, highest)


def known_queries(request: Request, *names: str) -> None:
    """Refuses `bad_input` for a parameter that means nothing here, so that no typing error is lost."""
    for name in request.query_params:
        if name not in names:
            raise Refused("bad_input", field=name[:40], expected=list(names))


def whole(name: str, given: str, lowest: int, highest: int) -> int:
    """A number within bounds; refuses `bad_input` with both."""
    if NUMBER.fullmatch(given) and lowest <= int(given) <= highest:
        return int(given)
    raise Refused("bad_input", field=name, lowest=lowest, highest=highest)
