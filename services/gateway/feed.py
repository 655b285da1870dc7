"""The event feed: a stream's items as the log's own bytes, with long poll; heads, positions, and the audit trail."""

from __future__ import annotations

import asyncio
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway import reading
from services.gateway.backend import Backend, Client, backend_of, json_answer
from services.gateway.edge import Handler
from services.gateway.operations import words

CLOUDEVENTS = "application/cloudevents-batch+json"
LIMIT, LIMIT_MAX = 200, 500
WAIT_MAX_S = 30
LOOK_FIRST_S, LOOK_MAX_S = 0.1, 1.0
"""How soon a waiting reader looks again: doubled each time."""
WAITING_MAX = 500
"""Readers that may wait at once in this process; those above it get their empty page at once."""
POSITION_MAX = 2**63 - 1


class Page(msgspec.Struct, frozen=True):
    """A page as the service answers it; items stay bytes."""

    items: list[msgspec.Raw]
    head: str


class _Placed(msgspec.Struct):
    streamposition: str


class _Positions(msgspec.Struct):
    streams: dict[str, str]


class Feed:
    """The handlers of the feed; counts who waits."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting = 0

    async def events(self, request: Request, span: telemetry.Span) -> Response:
        """GET /v1/streams/{stream}?after=&limit=&wait="""
        reading.known_queries(request, "after", "limit", "wait")
        stream = request.path_params["stream"]
        after = reading.query(request, "after", 0, POSITION_MAX)
        limit = reading.query(request, "limit", LIMIT, LIMIT_MAX, 1)
        wait_s = reading.query(request, "wait", 0, WAIT_MAX_S)
        backend = backend_of(self._client, request, span)
        service = service_of(stream)
        body = msgspec.json.encode({"stream": stream, "after": after, "limit": limit})
        page = await _read(backend, service, "events_read", body)
        if not page.items and wait_s and self._waiting < WAITING_MAX:
            page = await self._wait(request, backend, service, body, page, wait_s)
        return page_answer(page, after, CLOUDEVENTS)

    async def _wait(
        self, request: Request, backend: Backend, service: str, body: bytes, page: Page, wait_s: int
    ) -> Page:
        """Looks again until something is there, the time is over, or the reader went away."""
        until_s, pause_s = time.monotonic() + wait_s, LOOK_FIRST_S
        self._waiting += 1
        try:
            while not page.items and (left_s := until_s - time.monotonic()) > 0:
                await asyncio.sleep(min(pause_s, left_s))
                pause_s = min(pause_s * 2, LOOK_MAX_S)
                if await request.is_disconnected():
                    break
                page = await _read(backend, service, "events_read", body)
        finally:
            self._waiting -= 1
        return page

    async def head(self, request: Request, span: telemetry.Span) -> Response:
        """GET /v1/streams/{stream}/head: the newest signed head, as it was signed."""
        reading.known_queries(request)
        stream = request.path_params["stream"]
        backend = backend_of(self._client, request, span)
        return json_answer(await backend.call(service_of(stream), "events_head", {"stream": stream}))

    async def snapshot(self, request: Request, span: telemetry.Span) -> Response:
        """GET /v1/streams/{stream}/snapshot?after=&limit=: what still counts up to a signed head, and where to go on."""
        reading.known_queries(request, "after", "limit")
        stream = request.path_params["stream"]
        limit = reading.query(request, "limit", LIMIT, LIMIT_MAX, 1)
        body = {"stream": stream, "after": request.query_params.get("after", ""), "limit": limit}
        backend = backend_of(self._client, request, span)
        return json_answer(await backend.call(service_of(stream), "events_snapshot", body))

    async def streams(self, request: Request, span: telemetry.Span) -> Response:
        """GET /v1/streams: the last position of every stream; a service that does not answer is named."""
        reading.known_queries(request)
        backend = backend_of(self._client, request, span)
        outcomes = await backend.ask_all(tuple(words()), "events_positions")
        found, silent = {}, []
        for service, outcome in outcomes.items():
            if not isinstance(outcome, Refused):
                found.update(msgspec.json.decode(outcome, type=_Positions).streams)
            elif outcome.code in ("unknown_service", "unavailable", "outcome_unknown", "deadline_past"):
                silent.append(service)
            else:
                raise outcome
        return json_answer(msgspec.json.encode({"streams": found, "unavailable": silent}))

    async def audit(self, request: Request, span: telemetry.Span) -> Response:
        """GET /v1/audit/{service}?after=&limit=: sealed rows of the audit trail with their proof."""
        reading.known_queries(request, "after", "limit")
        service = request.path_params["service"]
        if service not in words():
            raise Refused("not_found", service=service[:64])
        after = reading.query(request, "after", 0, POSITION_MAX)
        limit = reading.query(request, "limit", LIMIT, LIMIT_MAX, 1)
        backend = backend_of(self._client, request, span)
        body = msgspec.json.encode({"after": after, "limit": limit})
        return page_answer(await _read(backend, service, "audit_read", body), after, "application/json")


def key_set_handler(client: Client) -> Handler:
    """GET /.well-known/jwks.json: the public keys of tokens and heads; readers may keep them for a minute."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        keys = await backend_of(client, request, span).call("identity", "jwks", b"{}")
        return json_answer(keys, {"Cache-Control": "public, max-age=60"})

    return handle


def service_of(stream: str) -> str:
    """The service that owns a stream, by its name; refuses `not_found` so that no other queue is reached."""
    service = stream.partition(".")[0]
    if service not in words():
        raise Refused("not_found", stream=stream[:100])
    return service


def page_answer(page: Page, after: int, media_type: str) -> Response:
    """The items spliced into an array, not one byte of them encoded anew; where the stream ends and how to go on."""
    next_after = msgspec.json.decode(page.items[-1], type=_Placed).streamposition if page.items else str(after)
    headers = {"Banyan-Head": page.head, "Banyan-Next": next_after}
    return Response(b"[%b]" % b",".join(page.items), headers=headers, media_type=media_type)


async def _read(backend: Backend, service: str, method: str, body: bytes) -> Page:
    return msgspec.json.decode(await backend.call(service, method, body), type=Page)
