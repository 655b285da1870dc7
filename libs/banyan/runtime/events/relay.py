"""The relay of a service: gives each outbox row its gap-free position, digest and chain, commits that, then publishes.

A crash between the commit and the confirms repeats an event and never renumbers one. A transaction that commits late
gets a later position and is never skipped; nothing waits for a snapshot horizon, which is cluster-wide.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

import msgspec

from banyan.runtime.commands.audit import instant
from banyan.runtime.host import telemetry
from banyan.runtime.host.db import Pool
from banyan.wire import chain
from banyan.wire.cloudevents import event_members

BATCH = 500
TAKE = (
    "select id, event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data,"
    " personal, traceparent"
    " from outbox order by id limit %s"
)
STREAM = "insert into stream (name, position, chain) values (%s, 0, %s) on conflict (name) do nothing"
STATE = (
    "select position, chain, greatest(known_at, date_trunc('milliseconds', now())) from stream"
    " where name = %s for update"
)
ADVANCE = "update stream set position = %s, chain = %s, known_at = %s where name = %s"
KEEP = "copy log (stream, position, event_id, type, aggregate_id, known_at, salt, digest, chain, body) from stdin"
UNPUBLISHED = (
    "select l.stream, l.position, l.salt, l.digest, l.chain, l.body from stream s"
    " join log l on l.stream = s.name and l.position > s.published and l.position <= s.published + %s"
    " where s.position > s.published order by l.stream, l.position"
)
MARK = "update stream set published = greatest(published, %s) where name = %s"


class Relay:
    """Positions and publishes; one at a time, which the caller's advisory lock guarantees."""

    def __init__(self, service: str, pool: Pool) -> None:
        self.service, self._pool = service, pool

    def position(self) -> int:
        """Moves up to 500 outbox rows into the log, in id order; answers how many."""
        with self._pool.connection() as connection, connection.transaction():
            rows = connection.execute(TAKE, (BATCH,)).fetchall()
            by_stream: dict[str, list[Any]] = defaultdict(list)
            for row in rows:
                by_stream[row[2]].append(row)
            for stream, its in sorted(by_stream.items()):  # by name, as `mark` does: the two wait for each other else
                with telemetry.spans(f"{self.service}.relay", (row[10] for row in its)):
                    self._position_stream(connection, stream, its)
            if rows:
                connection.execute("delete from outbox where id = any(%s)", ([row[0] for row in rows],))
            return len(rows)

    def _position_stream(self, connection: Any, stream: str, rows: list[Any]) -> None:
        connection.execute(STREAM, (stream, chain.genesis(stream)))
        last, previous, known_at = connection.execute(STATE, (stream,)).fetchone()
        events = [self._members(row, stream, last + n, instant(known_at)) for n, row in enumerate(rows, 1)]
        salts = [os.urandom(chain.SALT_BYTES) for _ in rows]
        proofs = chain.extend(bytes(previous), zip(salts, events, strict=True))
        with connection.cursor() as cursor, cursor.copy(KEEP) as copy:
            for n, (row, salt, (body, digest, link)) in enumerate(zip(rows, salts, proofs, strict=True), 1):
                copy.write_row((stream, last + n, row[1], row[5], row[3], known_at, salt, digest, link, body))
        connection.execute(ADVANCE, (last + len(rows), proofs[-1].chain, known_at, stream))
        telemetry.POSITION.labels(stream).set(last + len(rows))

    def _members(self, row: Any, stream: str, position: int, known_at: str) -> dict[str, Any]:
        _, event_id, _, aggregate_id, version, type_, effective_on, recorded_at, data, personal, traceparent = row
        return event_members(
            id=event_id,
            service=self.service,
            type=type_,
            subject=aggregate_id,
            dataschema=f"/v1/schemas/{type_}",
            stream=stream,
            position=position,
            version=version,
            effective_on=effective_on.isoformat(),
            recorded_at=instant(recorded_at),
            known_at=known_at,
            data=msgspec.json.decode(data),
            personal=personal.encode() if personal else None,
            traceparent=traceparent,
        )

    def unpublished(self) -> list[Any]:
        """Rows that no confirm has covered, up to 500 a stream: stream, position, salt, digest, chain, body."""
        with self._pool.connection() as connection:
            return connection.execute(UNPUBLISHED, (BATCH,)).fetchall()

    def mark(self, published: dict[str, int]) -> None:
        """Notes up to which position the broker has confirmed."""
        with self._pool.connection() as connection, connection.transaction():
            for stream, position in sorted(published.items()):
                connection.execute(MARK, (position, stream))
