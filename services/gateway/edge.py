"""What happens around every request: limit, span, refusal to problem, headers, figures, and one line in the log."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from banyan.wire.rpc import traceparent_in
from services.gateway.limits import Limiter
from services.gateway.problems import problem

Handler = Callable[[Request, telemetry.Span], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

REQUESTS = Counter("banyan_http_requests_total", "Requests answered", ["route", "status"])
SECONDS = Histogram("banyan_http_seconds", "Seconds from a request to its answer", ["route"])
CLIENT_GONE = 499
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer; one that says its own Cache-Control keeps it."""

access_log = structlog.get_logger("banyan.gateway")
log = logging.getLogger(__name__)


class Edge:
    """Wraps handlers; a probe of the machine's own is neither limited nor logged."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def wrap(self, route: str, handler: Handler, *, probe: bool = False) -> Endpoint:
        """The endpoint of a route; `route` names it in spans, figures and the log."""

        async def endpoint(request: Request) -> Response:
            return await self._answer(route, handler, request, probe=probe)

        return endpoint

    async def _answer(self, route: str, handler: Handler, request: Request, *, probe: bool) -> Response:
        started_s = time.perf_counter()
        with telemetry.span(f"gateway.{route}", traceparent_of(request)) as traced:
            span = traced if traced.traceparent else fresh_span()
            response = await self._outcome(route, handler, request, span, limited=not probe)
        response.headers["traceparent"] = span.traceparent or ""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not probe:
            _note(route, request.method, response.status_code, time.perf_counter() - started_s, trace_id_of(span))
        return response

    async def _outcome(
        self, route: str, handler: Handler, request: Request, span: telemetry.Span, *, limited: bool
    ) -> Response:
        """The handler's answer, or the problem that stands for whatever it raised."""
        try:
            if limited:
                self._limiter.take(request)
            return await handler(request, span)
        except Refused as refused:
            return problem(refused, trace_id_of(span))
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except Exception as error:
            log.error("网关内部错误 %s trace_id=%s", route, trace_id_of(span), exc_info=error)
            return problem(Refused("internal"), trace_id_of(span))

    async def no_route(self, request: Request, error: Exception) -> Response:
        """Nothing stands at this address, or not with this method."""

        async def refuse(_: Request, __: telemetry.Span) -> Response:
            raise unrouted(request, error)

        return await self._answer("none", refuse, request, probe=False)


def unrouted(request: Request, error: Exception) -> Refused:
    """The refusal that stands for the framework's 404 or 405."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return Refused("wrong_method", given=request.method, allow=sorted(filter(None, allow.split(", "))))
    parts = request.url.path.split("/")
    if len(parts) == 4 and parts[1] == "v1":
        return Refused("unknown_command", service=parts[2][:64], method=parts[3][:64])
    return Refused("unknown_address")


def traceparent_of(request: Request) -> str | None:
    """The caller's, where it is one."""
    return traceparent_in(request.headers.get("traceparent", "").strip())


def fresh_span() -> telemetry.Span:
    """Where nothing is traced: a trace id all the same, so that every answer can be asked about."""
    trace_id = os.urandom(16).hex()
    return telemetry.Span(f"00-{trace_id}-{os.urandom(8).hex()}-00", trace_id)


def trace_id_of(span: telemetry.Span) -> str:
    """32 hex digits of the trace that the services are told too."""
    return span.traceparent[3:35] if span.traceparent else span.trace_id


def _note(route: str, method: str, status: int, seconds: float, trace_id: str) -> None:
    """No path, query string, body or address: each of them can name a person."""
    REQUESTS.labels(route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)
    access_log.info(
        "http", route=route, method=method[:10], status=status, ms=round(seconds * 1000, 1), trace_id=trace_id
    )
