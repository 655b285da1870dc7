"""The RPC client for asyncio: the gateway. The same protocol as the other clients, over aio-pika."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from aiormq.abc import DeliveredMessage

from banyan.runtime.rpc.calls import (
    DEFAULT_TIMEOUT_S,
    Calls,
    Ending,
    Outgoing,
    Pending,
    backoff_s,
    deadline_of,
    now_ms,
    result_of,
)
from banyan.runtime.rpc.link import HEARTBEAT_S
from banyan.wire import rpc as wire

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 10
LOST = (*aio_pika.exceptions.CONNECTION_EXCEPTIONS, TimeoutError)


class AsyncClient:
    """One connection, shared by all tasks of an event loop; with `wire="stock"` it calls services of stock nameko."""

    def __init__(self, amqp_url: str, *, connection_name: str, wire: wire.Kind = "banyan") -> None:
        self._url, self._name, self._kind = amqp_url, connection_name, wire
        self._calls = Calls()
        self._exchange: AbstractExchange | None = None
        self._reply_to = ""
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(
        self,
        service: str,
        method: str,
        body: bytes | Mapping[str, Any],
        *,
        token: str | None = None,
        key: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        deadline_ms: int | None = None,
        traceparent: str | None = None,
    ) -> bytes:
        """The raw JSON of the result. Raises `Refused`: the service's own, or `unknown_service` (nothing was done),
        `outcome_unknown` (it was sent, no answer came), `deadline_past`, `too_large`."""
        deadline = deadline_of(timeout_s, deadline_ms)
        call = wire.Call(service, method, wire.json_bytes(body), token, key, deadline, traceparent)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ending] = loop.create_future()
        pending = self._calls.open(call, partial(_settle, future))
        timer = loop.call_later(max(0.0, (deadline - now_ms()) / 1000), self._calls.expire, pending)
        if self._keeper is None:
            self._keeper = loop.create_task(self._keep())
        self._send(pending)
        try:
            return result_of(await future)
        finally:
            timer.cancel()
            self._calls.forget(pending)

    async def close(self) -> None:
        """Ends every pending call and closes the connection."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        self._calls.close()

    async def _keep(self) -> None:
        attempt = 0
        while True:
            connection = None
            try:
                async with asyncio.timeout(OPEN_LIMIT_S):
                    connection = await self._connect()
                attempt = 0
                await self._lost.wait()
            except LOST as error:
                log.warning("与消息服务器的连接断开，%.1f 秒后重连：%r", backoff_s(attempt), error)
            finally:
                self._exchange = None
                self._calls.lost(0)
                if connection is not None:
                    with suppress(*LOST):
                        await connection.close()
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    async def _connect(self) -> aio_pika.abc.AbstractConnection:
        self._lost = asyncio.Event()
        connection = await aio_pika.connect(
            self._url, client_properties={"connection_name": self._name}, heartbeat=HEARTBEAT_S
        )
        try:
            await self._open(connection)
        except BaseException:
            await connection.close()
            raise
        for pending in self._calls.waiting():
            self._send(pending)
        return connection

    async def _open(self, connection: aio_pika.abc.AbstractConnection) -> None:
        # aio-pika tells of unroutable messages only on a channel with confirms.
        channel = await connection.channel(publisher_confirms=True, on_return_raises=False)
        lost = self._lost
        for callbacks in (connection.close_callbacks, channel.close_callbacks):
            callbacks.add(lambda *_: lost.set())
        exchange = await channel.declare_exchange(wire.EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        self._reply_to = wire.reply_queue(self._kind)
        if self._kind == "stock":
            queue = await channel.declare_queue(self._reply_to, exclusive=True, auto_delete=True)
            await queue.bind(exchange, self._reply_to)
        else:
            queue = await channel.get_queue(self._reply_to, ensure=False)
        await queue.consume(self._on_reply, no_ack=True)
        self._exchange = exchange

    def _send(self, pending: Pending) -> None:
        exchange = self._exchange
        outgoing = self._calls.take(pending) if exchange is not None and not self._lost.is_set() else None
        if exchange is None or outgoing is None:
            return
        pending.mark = 0
        task = asyncio.get_running_loop().create_task(self._publish(exchange, outgoing))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _publish(self, exchange: AbstractExchange, outgoing: Outgoing) -> None:
        message = aio_pika.Message(
            outgoing.body,
            content_type=wire.CONTENT_TYPE,
            content_encoding="utf-8",
            headers={**outgoing.headers},
            reply_to=self._reply_to,
            correlation_id=outgoing.correlation_id,
            delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT,
            expiration=outgoing.expiration_ms / 1000,
        )
        try:
            confirmed = await exchange.publish(message, outgoing.routing_key, mandatory=True)
        except Exception as error:
            log.warning("请求未能送出，断开重连：%r", error)
            self._lost.set()
            return
        if isinstance(confirmed, DeliveredMessage):
            self._calls.returned(outgoing.correlation_id)

    async def _on_reply(self, message: AbstractIncomingMessage) -> None:
        self._calls.replied(message.correlation_id, message.body)


def _settle(future: asyncio.Future[Ending], ending: Ending) -> None:
    if not future.done():
        future.set_result(ending)
