"""Liveness, readiness and figures of this process; and the page that a person sees first."""

from __future__ import annotations

import time
from importlib import resources

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway.backend import JSON, Backend, Client
from services.gateway.operations import words

READY_TIMEOUT_S = 2.0
KEPT_S = 1.0
"""How long an answer about readiness stands: probes of many do not become calls of many."""


class Health:
    """What the machine asks, and a person who wants to know."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[str, str] = {}
        self._seen_s = float("-inf")

    async def alive(self, request: Request, span: telemetry.Span) -> Response:
        """GET /healthz: the process runs."""
        return Response(b'{"alive":true}', media_type=JSON)

    async def ready(self, request: Request, span: telemetry.Span) -> Response:
        """GET /readyz: 200 where every service answers, else 503; each with its state or the code of its refusal."""
        if time.monotonic() - self._seen_s > KEPT_S:
            outcomes = await Backend(self._client, None, READY_TIMEOUT_S, None).ask_all(tuple(words()), "health")
            self._seen = {name: o.code if isinstance(o, Refused) else "ok" for name, o in outcomes.items()}
            self._seen_s = time.monotonic()
        ready = all(state == "ok" for state in self._seen.values())
        body = msgspec.json.encode({"ready": ready, "services": self._seen})
        return Response(body, 200 if ready else 503, media_type=JSON)

    async def figures(self, request: Request, span: telemetry.Span) -> Response:
        """GET /metrics: Prometheus text."""
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def page(self, request: Request, span: telemetry.Span) -> Response:
        """GET /: what runs here, for a person."""
        return HTMLResponse(resources.files("services.gateway").joinpath("page.html").read_text("utf-8"))
