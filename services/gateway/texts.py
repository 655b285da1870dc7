"""OpenAPI, AsyncAPI and schemas as answers; `python -m services.gateway.texts` writes the two documents to docs/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway import asyncapi, openapi
from services.gateway.edge import Handler
from services.gateway.fixed import SCHEMA_TYPE
from services.gateway.operations import events
from services.gateway.schemas import event_document

DOCUMENTS = {"openapi.json": openapi.document, "asyncapi.json": asyncapi.document}
PUBLIC = {"Cache-Control": "public, max-age=300"}


def document_handler(make: Callable[[], bytes]) -> Handler:
    """One of the two documents."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        return Response(make(), headers=PUBLIC, media_type="application/json")

    return handle


async def schema(request: Request, span: telemetry.Span) -> Response:
    """GET /v1/schemas/{type}: the JSON Schema of an event's data."""
    event = events().get(request.path_params["type"])
    if event is None:
        raise Refused("not_found", type=request.path_params["type"][:100])
    return Response(msgspec.json.encode(event_document(event)), headers=PUBLIC, media_type=SCHEMA_TYPE)


def write(folder: Path) -> None:
    """Writes both documents as they follow from the contracts now."""
    for name, make in DOCUMENTS.items():
        (folder / name).write_bytes(make())


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "docs")
