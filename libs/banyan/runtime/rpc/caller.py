"""The calling side of a link, and the client that threads and green threads share: they differ in how they wait."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import amqp

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.calls import DEFAULT_TIMEOUT_S, Calls, Ending, Pending, deadline_of, now_ms, result_of
from banyan.runtime.rpc.link import LOST, Link, bytes_of
from banyan.runtime.rpc.tuning import wake
from banyan.wire import rpc as wire

log = logging.getLogger(__name__)


class Box(Protocol):
    """Where a call's ending is put by the reader and taken by the caller."""

    def put(self, ending: Ending, /) -> None:
        """Puts the one ending."""

    def take(self, timeout_s: float | None) -> Ending | None:
        """The ending, or None when it did not come in time."""


class Caller:
    """Requests out and answers in, on one channel: direct reply-to demands it, and its end is all calls' end."""

    def __init__(self, link: Link, kind: wire.Kind = "banyan") -> None:
        self.calls = Calls()
        self._link = link
        self._channel: Any = None
        self._reply_to = wire.reply_queue(kind)

    def attach(self, connection: Any) -> None:
        """Opens the channel and consumes answers; declares the exchange: publishing to a missing one is an error."""
        channel = connection.channel()
        channel.exchange_declare(wire.EXCHANGE, "topic", durable=True, auto_delete=False)
        if self._reply_to != wire.DIRECT_REPLY_TO:
            channel.queue_declare(self._reply_to, exclusive=True, auto_delete=True)
            channel.queue_bind(self._reply_to, wire.EXCHANGE, self._reply_to)
        channel.basic_consume(self._reply_to, no_ack=True, callback=self._on_reply)
        channel.events["basic_return"].add(self._on_return)
        self._channel = channel

    def attached(self) -> None:
        """Sends what waited for a link."""
        self.room()

    def room(self) -> None:
        """Sends what waits."""
        for pending in self.calls.waiting():
            self.send(pending)

    def detach(self) -> None:
        """Ends the calls that had been sent; called under the link's lock."""
        if self._channel is not None:
            self._channel = None
            self.calls.lost(self._link.sent)

    def turn(self) -> None:
        """Nothing to do between frames."""

    def send(self, pending: Pending) -> None:
        """Publishes a call if the link is up and takes it; else it waits for a link or for room."""
        with self._link.lock:
            channel = self._channel
            outgoing = self.calls.take(pending) if channel is not None and self._link.has_room else None
            if outgoing is None:
                return
            message = amqp.Message(
                outgoing.body,
                content_type=wire.CONTENT_TYPE,
                content_encoding="utf-8",
                application_headers=outgoing.headers,
                reply_to=self._reply_to,
                correlation_id=outgoing.correlation_id,
                delivery_mode=1,
                expiration=str(outgoing.expiration_ms),
            )
            try:
                channel.basic_publish(message, wire.EXCHANGE, outgoing.routing_key, mandatory=True)
            except LOST as error:
                # A write that raised left an incomplete frame at the most, so the broker has no such call.
                log.debug("call not sent: %r", error)
                wake(channel.connection)
                return
            pending.mark = self._link.written

    def _on_reply(self, message: Any) -> None:
        self.calls.replied(message.properties.get("correlation_id"), bytes_of(message))

    def _on_return(self, _error: Any, _exchange: str, _routing_key: str, message: Any) -> None:
        self.calls.returned(message.properties.get("correlation_id"))


class Client:
    """What `ThreadClient` and `GreenClient` have in common; safe to share between all threads of a process."""

    _link: Link
    _caller: Caller

    def call(
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
        box = self._box()
        pending = self._caller.calls.open(call, box.put)
        self._caller.send(pending)
        ending = box.take(max(0.0, (call.deadline_ms - now_ms()) / 1000))
        if ending is None:
            self._caller.calls.expire(pending)
            ending = box.take(None)
        if ending is None:
            raise Refused("internal", reason="no_ending")
        return result_of(ending)

    def close(self) -> None:
        """Ends every pending call and closes the connection."""
        self._link.close()
        self._caller.calls.close()

    def _box(self) -> Box:
        raise TypeError("a Client is a ThreadClient or a GreenClient")
