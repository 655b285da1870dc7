"""The broker as events use it: one exchange, a quorum queue for each subscription, confirms for what is published."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import amqp
from amqp.method_framing import frame_writer

from banyan.runtime.rpc.tuning import connect

EXCHANGE = "banyan.events"
CONTENT_TYPE = "application/cloudevents+json"
HEARTBEAT_S = 20
CONFIRM_S = 15
OPEN_S = 5
PREFETCH = 1000
LOST = (OSError, amqp.exceptions.AMQPError, AttributeError, TypeError, ValueError, KeyError)


def _connection(url: str, name: str) -> Any:
    return connect(url, name, HEARTBEAT_S, frame_writer)


class Publisher:
    """Publishes rows of the log and waits until the broker has confirmed every one."""

    exchange, mandatory = EXCHANGE, False  # mandatory: what no queue takes counts as refused

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._connection: Any = None
        self._channel: Any = None
        self._sent = 0
        self._confirmed: set[int] = set()
        self._floor = 0
        self._refused = False

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Sends (stream, body) in order; returns when all are confirmed, raises where they are not: then send again."""
        self.open()
        for stream, body in messages:
            message = amqp.Message(body, content_type=CONTENT_TYPE, delivery_mode=2)
            self._channel.basic_publish(message, self.exchange, stream, self.mandatory)
            self._sent += 1
        until = time.monotonic() + CONFIRM_S
        while self._floor < self._sent:
            self._connection.drain_events(timeout=max(0.01, until - time.monotonic()))
            if self._refused:
                raise OSError("the broker did not take a message")

    def beat(self) -> None:
        """Keeps an idle connection alive; raises when it is dead."""
        if self._connection is not None:
            try:
                self._connection.heartbeat_tick()
                self._connection.drain_events(timeout=0.001)
            except TimeoutError:
                return

    def close(self) -> None:
        """Drops the connection; the next publish opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.collect()
            except LOST:
                return

    def open(self) -> None:
        """Connects and declares, where there is no connection."""
        if self._connection is not None:
            return
        self._connection = _connection(self._url, self._name)
        self._channel = self._connection.channel()
        self._declare()
        self._channel.confirm_select()
        self._sent, self._floor, self._confirmed, self._refused = 0, 0, set(), False
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_nack)

    def _declare(self) -> object:
        return self._channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)

    def _on_ack(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._floor = max(self._floor, tag)
        else:
            self._confirmed.add(tag)
        while self._floor + 1 in self._confirmed:
            self._floor += 1
            self._confirmed.discard(self._floor)

    def _on_nack(self, *_: Any) -> None:
        self._refused = True


class Inbox:
    """The queue of one subscription: declared, bound to its streams, read in batches, acknowledged at once."""

    def __init__(self, url: str, queue: str, streams: Iterable[str]) -> None:
        self._url, self.queue, self._streams = url, queue, tuple(streams)
        self._connection: Any = None
        self._channel: Any = None
        self._got: list[Any] = []
        self._mute = False  # the queue did not answer when it was last opened

    def open(self) -> None:
        """Connects, declares and consumes; single active consumer, for order matters."""
        self._connection = _connection(self._url, self.queue)
        self._connection.sock.settimeout(OPEN_S)  # a queue without a leader does not answer: better an error, and again
        self._channel = self._connection.channel()
        self._channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        mute, self._mute = self._mute, True
        if mute:  # a quorum queue that lost its leader: made anew, for what it held is in the log
            self._channel.queue_delete(self.queue)
        arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": 1000}
        self._channel.queue_declare(self.queue, durable=True, auto_delete=False, arguments=arguments)
        for stream in self._streams:
            self._channel.queue_bind(self.queue, EXCHANGE, stream)
        self._channel.basic_qos(0, PREFETCH, False)
        self._channel.basic_consume(self.queue, callback=self._got.append)
        self._mute = False

    def take(self, limit: int, wait_s: float, gather_s: float) -> list[bytes]:
        """Bodies of up to `limit` messages: waits for the first, then gathers a moment; empty when none came."""
        if self._connection is None:
            self.open()
        self._connection.heartbeat_tick()
        if not self._got:
            self._drain(wait_s)
        until = time.monotonic() + gather_s
        while self._got and len(self._got) < limit and time.monotonic() < until:
            if not self._drain(max(0.0005, until - time.monotonic())):
                break
        return [
            message.body if isinstance(message.body, bytes) else message.body.encode() for message in self._got[:limit]
        ]

    def _drain(self, timeout_s: float) -> bool:
        try:
            self._connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def done(self, count: int) -> None:
        """Acknowledges the first `count` messages taken, with one frame."""
        if count:
            self._channel.basic_ack(self._got[count - 1].delivery_tag, multiple=True)
            del self._got[:count]

    def close(self) -> None:
        """Drops the connection and what was not acknowledged; the broker delivers it again."""
        connection, self._connection = self._connection, None
        self._got.clear()
        if connection is not None:
            try:
                connection.collect()
            except LOST:
                return
