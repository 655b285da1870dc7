"""Facts of the sample service."""

from __future__ import annotations

from collections.abc import Sequence

from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db, fact
from tests.sample import contracts as words


@fact("same_label")
def same_label(db: Db, commands: Sequence[words.PlantTree], context: Context) -> list[str | None]:
    """The id of a standing tree with the same label."""
    labels = [command.label for command in commands]
    rows = db.rows("select label, id from tree where state <> 'felled' and label = any(%(labels)s)", {"labels": labels})
    found = dict(rows)
    return [found.get(label) for label in labels]
