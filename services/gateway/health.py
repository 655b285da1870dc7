"""Liveness and readiness of this process; and the page that a person sees first."""

from __future__ import annotations

import time
from importlib import resources

import msgspec
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
        """GET /readyz: 200 where any service answers, else 503; each with its state or the code of its refusal.

        A silent service is named and takes no gateway out of rotation: the others are still served through all of them.
        """
        if time.monotonic() - self._seen_s > KEPT_S:
            outcomes = await Backend(self._client, None, READY_TIMEOUT_S, None).ask_all(tuple(words()), "health")
            self._seen = {name: o.code if isinstance(o, Refused) else "ok" for name, o in outcomes.items()}
            self._seen_s = time.monotonic()
        silent = [name for name, state in self._seen.items() if state != "ok"]
        ready = len(silent) < len(self._seen)
        body = msgspec.json.encode({"ready": ready, "silent": silent, "services": self._seen})
        return Response(body, 200 if ready else 503, media_type=JSON)

    async def page(self, request: Request, span: telemetry.Span) -> Response:
        """GET /: what runs here, for a person."""
        return HTMLResponse(resources.files("services.gateway").joinpath("page.html").read_text("utf-8"))
