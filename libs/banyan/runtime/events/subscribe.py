"""A subscription keeps a cursor: stream → position. Next: apply. Older: drop. A jump: fetch the hole first.

The broker is the fast path and the log is the truth: what the broker loses or repeats changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog

from banyan.kernel.message import Event
from banyan.runtime.events.declare import Envelope
from banyan.runtime.host import telemetry
from banyan.runtime.host.db import Pool
from banyan.wire.canonical import Unprovable, decode

log = structlog.get_logger()

BATCH = 500
FETCH = 200
LOCK = "select stream, position from cursor where subscription = %s and stream = any(%s) order by stream for update"
START = "insert into cursor (subscription, stream, position) select %s, unnest(%s::text[]), 0 on conflict do nothing"
MOVE = "update cursor set position = %s where subscription = %s and stream = %s"


@dataclass(frozen=True, slots=True)
class Item:
    """One event as it came: its envelope, its data still as JSON values, its bytes."""

    envelope: Envelope
    data: dict[str, Any]
    raw: bytes


class Apply(Protocol):
    """What a subscription does with a batch of one stream, inside the cursor's transaction."""

    def __call__(self, connection: Any, stream: str, items: Sequence[Item]) -> None: ...


Fetch = Callable[[str, int, int], Iterable[bytes]]  # stream, after, limit → items of the log


def parse(raw: bytes) -> Item:
    """An item of the feed or the broker; redacted ones never come to our own services."""
    item = decode(raw)
    envelope = Envelope(
        id=item["id"],
        stream=item["stream"],
        position=int(item["streamposition"]),
        type=item["type"],
        aggregate_id=item["subject"],
        aggregate_version=int(item["aggregateversion"]),
        effective_on=dt.date.fromisoformat(item["effectiveon"]),
        recorded_at=dt.datetime.fromisoformat(item["recordedat"]),
        known_at=dt.datetime.fromisoformat(item["knownat"]),
        traceparent=item.get("traceparent"),
    )
    return Item(envelope, item["data"], raw)


def ours(raw: bytes) -> Item | None:
    """The item, or None for a message that is none of ours: it is noted and passed over, for nothing can come of it."""
    try:
        return parse(raw)
    except (Unprovable, KeyError, ValueError, TypeError) as error:
        log.warning("收到不属于本平台的消息，已略过", size=len(raw), error=repr(error))
        return None


def event_of(item: Item, kinds: dict[str, type[Event]]) -> Event | None:
    """The event as a contract; None for a type that this release does not know, which is passed over."""
    kind = kinds.get(item.envelope.type)
    return msgspec.convert(item.data, kind, strict=False) if kind else None


class Subscription:
    """Applies batches of one subscription and moves its cursor with them."""

    def __init__(self, name: str, streams: Sequence[str], pool: Pool, apply: Apply, fetch: Fetch) -> None:
        self.name, self.streams = name, tuple(streams)
        self._pool, self._apply, self._fetch = pool, apply, fetch

    def positions(self) -> dict[str, int]:
        """Where the cursor stands in every stream."""
        with self._pool.connection() as connection, connection.transaction():
            connection.execute(START, (self.name, list(self.streams)))
            return dict(connection.execute(LOCK, (self.name, list(self.streams))).fetchall())

    def take(self, bodies: Iterable[bytes]) -> int:
        """Applies what came from the broker, in any order, repeated or with holes; answers how many were new."""
        by_stream: dict[str, dict[int, Item]] = defaultdict(dict)
        for body in bodies:
            item = ours(body)
            if item is not None and item.envelope.stream in self.streams:
                by_stream[item.envelope.stream][item.envelope.position] = item
        if not by_stream:
            return 0
        at = self.positions()
        return sum(self._apply_stream(stream, at[stream], items) for stream, items in by_stream.items())

    def catch_up(self, stream: str, head: int) -> int:
        """Applies all that the log has after the cursor, up to a position; answers how many events."""
        applied = 0
        position = self.positions()[stream]
        while position < head:
            items = [parse(raw) for raw in self._fetch(stream, position, FETCH)]
            if not items:
                break
            applied += self._commit(stream, position, items)
            position = items[-1].envelope.position
        return applied

    def _apply_stream(self, stream: str, at: int, items: dict[int, Item]) -> int:
        new = sorted(position for position in items if position > at)
        if not new:
            return 0
        missing = new[-1] - at - len(new)
        if missing:
            self.catch_up(stream, new[-1])
            return len(new)
        return self._commit(stream, at, [items[position] for position in new])

    def _commit(self, stream: str, at: int, items: Sequence[Item]) -> int:
        """One transaction: the row of the cursor locked and still where it was, the effects, the cursor moved."""
        with self._pool.connection() as connection, connection.transaction():
            row = connection.execute(LOCK, (self.name, [stream])).fetchone()
            now_at = row[1] if row else 0
            items = [item for item in items if item.envelope.position > now_at]
            if not items or now_at < at:
                return 0
            self._apply(connection, stream, items)
            connection.execute(MOVE, (items[-1].envelope.position, self.name, stream))
        telemetry.CURSOR.labels(self.name, stream).set(items[-1].envelope.position)
        return len(items)
