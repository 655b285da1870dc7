"""The services as the gateway sees them: calls with the caller's token, deadline and trace; answers as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway import reading

JSON = "application/json"


class Client(Protocol):
    """The asyncio RPC client."""

    async def call(
        self,
        service: str,
        method: str,
        body: bytes | Mapping[str, Any],
        *,
        token: str | None = None,
        key: str | None = None,
        timeout_s: float = 10.0,
        traceparent: str | None = None,
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """Calls in the name of one request."""

    client: Client
    token: str | None
    timeout_s: float
    traceparent: str | None

    async def call(self, service: str, method: str, body: bytes | Mapping[str, Any], key: str | None = None) -> bytes:
        """The raw JSON of the answer, or the service's refusal."""
        return await self.client.call(
            service,
            method,
            body,
            token=self.token,
            key=key,
            timeout_s=self.timeout_s,
            traceparent=self.traceparent,
        )

    async def outcome(self, service: str, method: str, body: bytes | Mapping[str, Any]) -> bytes | Refused:
        """The answer or the refusal, for those who ask several services at once."""
        try:
            return await self.call(service, method, body)
        except Refused as refused:
            return refused

    async def ask_all(self, services: tuple[str, ...], method: str) -> dict[str, bytes | Refused]:
        """What each service answers to a question without content."""
        outcomes = await asyncio.gather(*(self.outcome(service, method, b"{}") for service in services))
        return dict(zip(services, outcomes, strict=True))


def backend_of(client: Client, request: Request, span: telemetry.Span) -> Backend:
    """Reads the token and the deadline of a request."""
    return Backend(client, reading.token_of(request), reading.timeout_s_of(request), span.traceparent)


def json_answer(body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that goes out as it came."""
    return Response(body, headers=headers, media_type=JSON)
