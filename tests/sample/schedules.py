"""Deadlines of the sample service."""

from __future__ import annotations

from collections.abc import Iterable

from banyan.kernel.context import Context
from banyan.kernel.message import Command
from banyan.runtime.commands.store import Db
from banyan.runtime.host.schedule import every
from tests.sample import contracts as words


@every(seconds=0.5)
def wake_trees(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Trees whose last day of rest is over in Shanghai."""
    sql = "select id, version from tree where state = 'resting' and rests_until < %(today)s order by id limit 100"
    for tree_id, version in db.rows(sql, {"today": context.today}):
        yield f"{tree_id}:{version}", words.WakeTree(tree_id=tree_id)
