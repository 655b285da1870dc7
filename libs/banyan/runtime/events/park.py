"""Events that a reaction could not take: kept with the reason, visible, tried again in their record's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from banyan.runtime.events.subscribe import Item, parse
from banyan.runtime.host import telemetry
from banyan.runtime.host.db import Pool

PUT = (
    "insert into parked (subscription, stream, position, aggregate_id, event, reason, attempts)"
    " values (%s, %s, %s, %s, %s, %s, 1) on conflict do nothing"
)
FIRST = (
    "select distinct on (aggregate_id) stream, position, event from parked where subscription = %s"
    " order by aggregate_id, position"
)
AGAIN = (
    "update parked set attempts = attempts + 1, reason = %s where subscription = %s and stream = %s and position = %s"
)
DONE = "delete from parked where subscription = %s and stream = %s and position = %s"


def put(connection: Any, subscription: str, item: Item, *, reason: str) -> None:
    """Parks an event; the cursor moves on over it in the same transaction."""
    it = item.envelope
    connection.execute(PUT, (subscription, it.stream, it.position, it.aggregate_id, item.raw, reason))
    telemetry.PARKED.labels(subscription).inc()


def waiting(connection: Any, subscription: str, stream: str) -> set[str]:
    """The aggregates that have something parked."""
    sql = "select distinct aggregate_id from parked where subscription = %s and stream = %s"
    return {row[0] for row in connection.execute(sql, (subscription, stream)).fetchall()}


def retry(pool: Pool, subscription: str, react: Callable[[Item], str | None]) -> int:
    """Tries the first parked event of every record, and its followers while that works; answers how many did."""
    worked = 0
    while True:
        with pool.connection() as connection:
            rows = connection.execute(FIRST, (subscription,)).fetchall()
        done_now = 0
        for stream, position, event in rows:
            failure = react(parse(bytes(event)))
            with pool.connection() as connection:
                if failure is None:
                    connection.execute(DONE, (subscription, stream, position))
                    done_now += 1
                else:
                    connection.execute(AGAIN, (failure, subscription, stream, position))
        worked += done_now
        telemetry.PARKED.labels(subscription).set(len(rows) - done_now)
        if not done_now:
            return worked
