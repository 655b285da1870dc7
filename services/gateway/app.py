"""The gateway as an application: every address, and the process that serves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from banyan.runtime.host.settings import Settings
from banyan.runtime.rpc.asyncio_ import AsyncClient
from services.gateway.backend import Client
from services.gateway.calls import batch_handler, operation_handler
from services.gateway.downloads import SOURCES, download_handler
from services.gateway.edge import Edge
from services.gateway.feed import Feed, key_set_handler
from services.gateway.health import Health
from services.gateway.limits import Limiter
from services.gateway.operations import operations
from services.gateway.texts import DOCUMENTS, document_handler, schema
from services.gateway.tokens import token_handler
from services.gateway.uploads import upload_handler

AT_ONCE = 2000
"""Connections at the most; above it the answer is 503 at once."""
IDLE_S, STOP_S = 65, 20


def create(settings: Settings, client: Client) -> Starlette:
    """The application over an RPC client that its caller opens and closes."""
    edge = Edge(Limiter(settings))
    routes = [
        *_own(edge, client),
        *_posts(edge, settings, client),
        *_feed(edge, client),
        *_downloads(edge, client),
        *_operations(edge, client),
    ]
    app = Starlette(routes=routes, exception_handlers={404: edge.no_route, 405: edge.no_route})
    app.router.redirect_slashes = False  # an address that is not there is refused, never guessed
    return app


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then lets requests in progress end."""
    client = AsyncClient(settings.amqp_url, connection_name="banyan gateway")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    app = create(settings, client)
    app.router.lifespan_context = lifespan
    uvicorn.run(
        app,
        host=settings.http_host,
        port=settings.http_port,
        lifespan="on",
        access_log=False,
        server_header=False,
        log_level="warning",
        limit_concurrency=AT_ONCE,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )


def _own(edge: Edge, client: Client) -> Iterator[Route]:
    health = Health(client)
    yield Route("/", edge.wrap("page", health.page))
    yield Route("/healthz", edge.wrap("healthz", health.alive, probe=True))
    yield Route("/readyz", edge.wrap("readyz", health.ready, probe=True))
    yield Route("/.well-known/jwks.json", edge.wrap("jwks", key_set_handler(client)))
    yield Route("/v1/schemas/{type}", edge.wrap("schema", schema))
    for name, make in DOCUMENTS.items():
        yield Route(f"/{name}", edge.wrap(name, document_handler(make)))


def _posts(edge: Edge, settings: Settings, client: Client) -> Iterator[Route]:
    yield Route("/v1/token", edge.wrap("token", token_handler(client)), methods=["POST"])
    yield Route("/v1/batch", edge.wrap("batch", batch_handler(client)), methods=["POST"])
    yield Route("/v1/uploads", edge.wrap("uploads", upload_handler(client, settings.run / "uploads")), methods=["POST"])


def _feed(edge: Edge, client: Client) -> Iterator[Route]:
    feed = Feed(client)
    yield Route("/v1/streams", edge.wrap("streams", feed.streams))
    yield Route("/v1/streams/{stream}", edge.wrap("stream", feed.events))
    yield Route("/v1/streams/{stream}/snapshot", edge.wrap("stream_snapshot", feed.snapshot))
    yield Route("/v1/streams/{stream}/head", edge.wrap("stream_head", feed.head))
    yield Route("/v1/audit/{service}", edge.wrap("audit", feed.audit))


def _downloads(edge: Edge, client: Client) -> Iterator[Route]:
    for path, source in SOURCES.items():
        yield Route(path, edge.wrap(source.method, download_handler(client, source)))


def _operations(edge: Edge, client: Client) -> Iterator[Route]:
    for one in operations().values():
        endpoint = edge.wrap(f"{one.service}.{one.method}", operation_handler(client, one))
        yield Route(one.path, endpoint, methods=["POST"])
