"""POST /v1/<service>/<method>, and POST /v1/batch for many questions at once."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from banyan.wire.bodies import decoded
from services.gateway import reading
from services.gateway.backend import Backend, Client, backend_of, json_answer
from services.gateway.edge import Handler, trace_id_of
from services.gateway.operations import Operation, operations
from services.gateway.problems import problem_of

READS = 20


class Read(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question of a batch; `body` is an object as the question's own address takes it."""

    service: str
    method: str
    body: dict[str, Any] = {}


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions that belong to one page of a front end."""

    reads: Annotated[tuple[Read, ...], msgspec.Meta(min_length=1, max_length=READS)]


def operation_handler(client: Client, operation: Operation) -> Handler:
    """Passes one command or query on, and its answer back as the bytes that came."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        backend = backend_of(client, request, span)
        key = reading.key_of(request) if operation.is_command else None
        body = await reading.json_object(request)
        return json_answer(await backend.call(operation.service, operation.method, body, key))

    return handle


def batch_handler(client: Client) -> Handler:
    """Answers each question for itself: {"answer": …} or {"problem": …}, in the order of the questions."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        backend = backend_of(client, request, span)
        batch: Batch = decoded(await reading.json_object(request), Batch)
        items = await asyncio.gather(*(_item(backend, read, trace_id_of(span)) for read in batch.reads))
        return json_answer(b'{"items":[%b]}' % b",".join(items))

    return handle


async def _item(backend: Backend, read: Read, trace_id: str) -> bytes:
    try:
        operation = operations().get((read.service, read.method))
        if operation is None:
            raise Refused("unknown_command", service=read.service[:64], method=read.method[:64])
        if operation.is_command:
            raise Refused("only_queries", service=read.service, method=read.method)
        return b'{"answer":%b}' % await backend.call(read.service, read.method, msgspec.json.encode(read.body))
    except Refused as refused:
        return msgspec.json.encode({"problem": problem_of(refused, trace_id)}, enc_hook=str)
