"""Seals audit rows in batches into the chain of `audit.<service>`; the rows themselves are never touched."""

from __future__ import annotations

import os
from typing import Any

from banyan.runtime.host.db import Pool
from banyan.wire import chain
from banyan.wire.canonical import canonical
from banyan.wire.cloudevents import row_members, spliced

BATCH = 500
TAKE = "select u.audit_id, a.row from unsealed u join audit a on a.id = u.audit_id order by u.audit_id limit %s"
LAST = "select position, chain from seal order by position desc limit 1"
KEEP = "copy seal (position, audit_id, salt, digest, chain) from stdin"
EXPORT = (
    "select s.position, a.row, s.salt, s.digest, s.chain from seal s join audit a on a.id = s.audit_id"
    " where s.position > %s order by s.position limit %s"
)


def stream_of(service: str) -> str:
    """The name under which a service's audit trail is chained and signed."""
    return f"audit.{service}"


def seal(service: str, pool: Pool) -> int:
    """Seals up to 500 rows; answers how many."""
    with pool.connection() as connection, connection.transaction():
        rows = connection.execute(TAKE, (BATCH,)).fetchall()
        if not rows:
            return 0
        last, previous = state(connection, service)
        stream = stream_of(service)
        members = [row_members(stream, last + n, row) for n, (_, row) in enumerate(rows, 1)]
        salts = [os.urandom(chain.SALT_BYTES) for _ in rows]
        proofs = chain.extend(previous, zip(salts, members, strict=True))
        with connection.cursor() as cursor, cursor.copy(KEEP) as copy:
            for n, ((audit_id, _), salt, (_, digest, link)) in enumerate(zip(rows, salts, proofs, strict=True), 1):
                copy.write_row((last + n, audit_id, salt, digest, link))
        connection.execute("delete from unsealed where audit_id = any(%s)", ([row[0] for row in rows],))
        return len(rows)


def state(connection: Any, service: str) -> tuple[int, bytes]:
    """(position, chain) of the last sealed row."""
    row = connection.execute(LAST).fetchone()
    return (row[0], bytes(row[1])) if row else (0, chain.genesis(stream_of(service)))


def export(connection: Any, service: str, after: int, limit: int) -> list[bytes]:
    """Sealed rows as `banyan verify` takes them: the row as it stands now, with the proof that was made then."""
    rows = connection.execute(EXPORT, (after, limit)).fetchall()
    stream = stream_of(service)
    return [
        spliced(canonical(row_members(stream, position, row)), bytes(salt), bytes(digest), bytes(link))
        for position, row, salt, digest, link in rows
    ]
