"""A heap where one tree's branches rot: what the reaction to TreePruned needs, and may not find."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from tests.sample import contracts as words


class Heap(Aggregate, frozen=True, kw_only=True):
    """One heap; `taken` is how many branches each time, in order."""

    kind: ClassVar = "heap"
    prefix: ClassVar = "h"
    taken: tuple[int, ...] = ()


def heap_of(tree_id: str) -> str:
    """The id of a tree's heap."""
    return f"h-{tree_id}"


@decides(words.OpenHeap, on=Heap)
def open_heap(_: None, command: words.OpenHeap, context: Context) -> tuple[object, ...]:
    """Opens the heap of a tree."""
    return (Heap(id=heap_of(command.tree_id), division=command.division),)


@decides(words.AddBranches, on=Heap, key="heap_id")
def add_branches(heap: Heap, command: words.AddBranches, context: Context) -> tuple[object, ...]:
    """Takes branches in."""
    return (replace(heap, taken=(*heap.taken, command.branches)),)
