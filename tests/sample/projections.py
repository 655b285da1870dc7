"""A projection of the sample service's own stream."""

from __future__ import annotations

from collections.abc import Sequence

from banyan.kernel.message import Event
from banyan.runtime.commands.store import Db
from banyan.runtime.events.declare import Envelope, projects
from tests.sample import contracts as words

ADD = (
    "insert into water (tree_id, litres) select * from unnest(%s::text[], %s::int[])"
    " on conflict (tree_id) do update set litres = water.litres + excluded.litres"
)


@projects("sample.tree")
def fold_water(batch: Sequence[tuple[Envelope, Event]], db: Db) -> None:
    """All the water of each tree."""
    litres: dict[str, int] = {}
    for _, event in batch:
        if isinstance(event, words.TreeWatered):
            litres[event.tree_id] = litres.get(event.tree_id, 0) + event.litres
    if litres:
        db.run(ADD, (list(litres), list(litres.values())))
