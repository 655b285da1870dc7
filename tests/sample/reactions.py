"""What the sample service does about events: branches go to the tree's heap."""

from __future__ import annotations

from collections.abc import Iterable

from banyan.kernel.message import Command
from banyan.runtime.events.declare import Envelope, reacts
from tests.sample import contracts as words
from tests.sample.domain.heap import heap_of


@reacts(words.TreePruned)
def add_branches(event: words.TreePruned, envelope: Envelope) -> Iterable[Command]:
    """Every pruning's branches, once."""
    yield words.AddBranches(heap_id=heap_of(event.tree_id), branches=event.branches)
