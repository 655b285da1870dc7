"""The protocol of a calling client, without IO: pending calls, correlation ids, deadlines, and what each ending means.

The three clients (threads, green, asyncio) only move bytes and wait; what an ending is called is decided here, once.
A call is `waiting` until a link has taken it, then `sent`; it ends exactly once.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from banyan.kernel.refusal import Refused
from banyan.runtime.host import clock
from banyan.wire import rpc as wire

Ending = bytes | Refused
"""How a call ended: the answer's message body, or the refusal that stands for what happened to it."""

DEFAULT_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Outgoing:
    """A message to publish with `mandatory`, on the topic exchange of the wire."""

    routing_key: str
    body: bytes
    headers: dict[str, str | int]
    correlation_id: str
    expiration_ms: int


@dataclass(slots=True)
class Pending:
    """One call that has not ended. `mark`: the link's byte count when it was written; None while it waits for one."""

    call: wire.Call
    correlation_id: str
    body: bytes
    headers: dict[str, str | int]
    settle: Callable[[Ending], None]
    mark: int | None = None


@dataclass(slots=True)
class Calls:
    """All calls of one client. Safe to use from several threads where `take` and `lost` happen under one lock."""

    pending: dict[str, Pending] = field(default_factory=dict)
    _prefix: str = field(default_factory=lambda: os.urandom(6).hex())
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def open(self, call: wire.Call, settle: Callable[[Ending], None]) -> Pending:
        """Registers a call; refuses what could never be sent: `too_large`, `unknown_command`, `deadline_past`."""
        wire.routing_key(call.service, call.method)
        if call.deadline_ms <= now_ms():
            raise Refused("deadline_past", deadline_ms=call.deadline_ms)
        body, headers = wire.encode_request(call)
        pending = Pending(call, f"{self._prefix}.{next(self._numbers)}", body, headers, settle)
        self.pending[pending.correlation_id] = pending
        return pending

    def take(self, pending: Pending) -> Outgoing | None:
        """The message to publish now; None when the call ended, was sent before, or has no time left."""
        left_ms = pending.call.deadline_ms - now_ms()
        if left_ms <= 0 or pending.mark is not None or pending.correlation_id not in self.pending:
            return None
        key = f"{pending.call.service}.{pending.call.method}"
        return Outgoing(key, pending.body, pending.headers, pending.correlation_id, left_ms)

    def waiting(self) -> list[Pending]:
        """Calls that no link has taken yet, oldest first: a new link sends them."""
        return [pending for pending in list(self.pending.values()) if pending.mark is None]

    def replied(self, correlation_id: Any, body: bytes) -> None:
        """An answer came; one that nobody waits for any more is dropped."""
        self._end(correlation_id, body)

    def returned(self, correlation_id: Any) -> None:
        """The broker found no queue for the call: nothing was done."""
        pending = self.pending.get(correlation_id) if isinstance(correlation_id, str) else None
        if pending is not None:
            self._end(correlation_id, Refused("unknown_service", service=pending.call.service))

    def lost(self, sent: int) -> None:
        """The link is gone after `sent` bytes: what lay within them has an unknown outcome, the rest waits on."""
        for pending in list(self.pending.values()):
            if pending.mark is None:
                continue
            if pending.mark > sent:
                pending.mark = None
            else:
                self._end(pending.correlation_id, _unknown(pending, "link_lost"))

    def expire(self, pending: Pending, reason: str = "deadline") -> None:
        """Ends a call whose time is over, if nothing else did; one that was never sent says so: nothing happened."""
        service, sent = pending.call.service, pending.mark is not None
        refused = _unknown(pending, reason) if sent else Refused("unknown_service", service=service, reason="no_link")
        self._end(pending.correlation_id, refused)

    def forget(self, pending: Pending) -> None:
        """The caller went away: nobody is told."""
        self.pending.pop(pending.correlation_id, None)

    def close(self) -> None:
        """The client is closed: every call ends now."""
        for pending in list(self.pending.values()):
            self.expire(pending, "closed")

    def _end(self, correlation_id: Any, ending: Ending) -> None:
        pending = self.pending.pop(correlation_id, None) if isinstance(correlation_id, str) else None
        if pending is not None:
            pending.settle(ending)


def _unknown(pending: Pending, reason: str) -> Refused:
    return Refused("outcome_unknown", service=pending.call.service, method=pending.call.method, reason=reason)


def now_ms() -> int:
    """Real time in epoch milliseconds: deadlines hold between machines and ignore the demo's clock."""
    return int(clock.epoch_s() * 1000)


def deadline_of(timeout_s: float, deadline_ms: int | None) -> int:
    """The absolute deadline in epoch ms; one that is given goes before a timeout."""
    return now_ms() + int(timeout_s * 1000) if deadline_ms is None else deadline_ms


def result_of(ending: Ending) -> bytes:
    """The raw JSON of a call's result, or its refusal raised."""
    if isinstance(ending, Refused):
        raise ending
    return wire.decode_reply(ending)


def backoff_s(attempt: int) -> float:
    """How long to wait before the next connection: 0.1 s, doubled each time, 5 s at the most."""
    return float(min(0.1 * 2 ** min(attempt, 10), 5.0))
