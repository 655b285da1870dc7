"""What time does to exports: their files are deleted when they were kept long enough."""

from __future__ import annotations

from collections.abc import Iterable

from banyan.contracts.insight import ExpireExport
from banyan.kernel.context import Context
from banyan.kernel.message import Command
from banyan.runtime.commands.store import Db
from banyan.runtime.host.schedule import every

BATCH = 500  # a turn finds at most so many; the next turn finds the rest
DUE = "select id from export where state = 'made' and expires_at <= %(now)s order by expires_at limit %(batch)s"
READ_PAGES = "delete from export_page p using export e where e.id = p.export_id and e.state <> 'waiting'"
DEAD_PARTS = "delete from export_part p using export e where e.id = p.export_id and e.state in ('failed', 'expired')"


@every(seconds=30)
def expire_exports(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Files whose time is over; and deletes what belongs to none that is still read or made."""
    db.run(READ_PAGES)
    db.run(DEAD_PARTS)
    return [(id, ExpireExport(export_id=id)) for (id,) in db.rows(DUE, {"now": context.now, "batch": BATCH})]
