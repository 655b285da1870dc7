"""The outlet: fills each partner's own queue, in the partner's own vhost, by its agreement.

A cursor (subscription `outlet:<name>`) stands in the service's own database and moves after the broker's confirms: what
fails between is sent again, never left out. Partners drop positions they know, as all subscribers do (docs/subscribers.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import structlog

from banyan.contracts.identity import PartnerAgreed
from banyan.kernel.context import SHANGHAI
from banyan.runtime.events import agreements, log
from banyan.runtime.events.broker import LOST, Publisher
from banyan.runtime.host.db import Pool

logger = structlog.get_logger()
BATCH = 500
FULL = 10_000  # messages that may wait in a partner's queue; the rest waits in the log
REST_S, LONGEST_REST_S = 0.5, 10.0
ARGUMENTS = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": 1000}
CURSORS = "select stream, position from cursor where subscription = %s"
MOVE = (
    "insert into cursor (subscription, stream, position) values (%s, %s, %s) on conflict (subscription, stream)"
    " do update set position = greatest(cursor.position, excluded.position)"
)


def vhost_of(name: str) -> str:
    """The vhost of a partner."""
    return f"partner.{name}"


def queue_of(name: str) -> str:
    """The queue of a partner, in its vhost."""
    return f"banyan.{name}"


def url_of(amqp_url: str, name: str) -> str:
    """Our own address of a partner's vhost, on the same broker."""
    return urlunsplit(urlsplit(amqp_url)._replace(path=f"/{quote(vhost_of(name), safe='')}"))


class PartnerQueue(Publisher):
    """Publishes into one partner's queue, which it declares; a message that the queue does not take is refused."""

    exchange, mandatory = "", True

    def __init__(self, amqp_url: str, name: str, sender: str) -> None:
        super().__init__(url_of(amqp_url, name), f"outlet {sender} {name}")
        self.queue = queue_of(name)

    def room(self) -> int:
        """How many messages may still be put there; the queue is declared anew where it was deleted."""
        self.open()
        return max(0, FULL - self._declare())

    def send(self, items: Iterable[bytes]) -> None:
        """Puts items there in order and waits for the confirms."""
        self.publish((self.queue, item) for item in items)

    def _declare(self) -> int:
        """Declares the queue; answers how many messages wait in it."""
        found = self._channel.queue_declare(self.queue, durable=True, auto_delete=False, arguments=ARGUMENTS)
        return int(found.message_count)


class Outlet:
    """All partners of one service; one at a time, which the caller's advisory lock guarantees."""

    def __init__(self, service: str, pool: Pool, amqp_url: str) -> None:
        self._service, self._pool, self._amqp_url = service, pool, amqp_url
        self._queues: dict[str, PartnerQueue] = {}
        self._failures: dict[str, tuple[int, float]] = {}  # name → how often in a row, rests until

    def turn(self) -> bool:
        """Sends each partner what is new to it; True where there may be more. One partner's failure keeps no other."""
        with self._pool.connection() as connection, connection.transaction():
            now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
            agreed = agreements.with_queue(connection, now.astimezone(SHANGHAI).date())
            ends = log.positions(connection) if agreed else {}
        self._forget({it.name for it in agreed})
        sent = [self._tried(it, ends) for it in agreed]
        return any(sent)

    def _forget(self, names: set[str]) -> None:
        for name in [name for name in self._queues if name not in names]:
            self._queues.pop(name).close()

    def _tried(self, agreed: PartnerAgreed, ends: Mapping[str, int]) -> bool:
        failures, rests_until = self._failures.get(agreed.name, (0, 0.0))
        if time.monotonic() < rests_until:
            return False
        queue = self._queues.setdefault(agreed.name, PartnerQueue(self._amqp_url, agreed.name, self._service))
        try:
            sent = self._send(agreed, ends, queue)
        except LOST as error:
            queue.close()
            rest_s = min(REST_S * 2**failures, LONGEST_REST_S)
            self._failures[agreed.name] = (min(failures + 1, 10), time.monotonic() + rest_s)
            logger.warning("订阅方队列暂不可用，稍后再试", partner=agreed.name, error=repr(error))
            return False
        self._failures.pop(agreed.name, None)
        return sent > 0

    def _send(self, agreed: PartnerAgreed, ends: Mapping[str, int], queue: PartnerQueue) -> int:
        """Up to 500 items of each permitted stream of this service; answers how many were sent."""
        with self._pool.connection() as connection:
            at: dict[str, int] = dict(connection.execute(CURSORS, (_subscription(agreed),)).fetchall())
        behind = [stream for stream in sorted(agreed.streams) if ends.get(stream, 0) > at.get(stream, 0)]
        if not behind:
            queue.beat()
        return sum(self._send_stream(agreed, stream, at.get(stream, 0), queue) for stream in behind)

    def _send_stream(self, agreed: PartnerAgreed, stream: str, after: int, queue: PartnerQueue) -> int:
        limit = min(BATCH, queue.room())
        if not limit:
            return 0
        permit = agreements.permit(agreed, stream)
        with self._pool.connection() as connection:
            items = log.read(connection, stream, after, limit, permit)
        queue.send(items)
        with self._pool.connection() as connection, connection.transaction():
            connection.execute(MOVE, (_subscription(agreed), stream, after + len(items)))
        return len(items)


def _subscription(agreed: PartnerAgreed) -> str:
    return f"outlet:{agreed.name}"
