"""What keeps a service's database going: replies whose time is over are deleted, partitions are made ahead of need."""

from __future__ import annotations

import structlog

from banyan.runtime.host.db import Pool

log = structlog.get_logger()
EVERY_S = 60.0
OLD_KEYS = (
    "delete from idempotency where (caller, key) in"
    " (select caller, key from idempotency where expires_at < now() limit 1000)"
)


def turn(service: str, pool: Pool) -> bool:
    """Deletes a batch of old replies, and makes what partitions are missing; True where there is more to delete.

    Rows in a default partition are never moved, only told: as long as they are there the log says so, as the status does."""
    with pool.connection() as connection:
        forgotten = connection.execute(OLD_KEYS).rowcount
        made, stray = connection.execute("select make_partitions(), stray_rows()").fetchone()  # type: ignore[misc]
    if made:
        log.info("已预建分区", service=service, made=made)
    if stray:
        log.warning("缺省分区中有数据，请按 docs/operators.md 处理", service=service, rows=stray)
    return forgotten > 0
