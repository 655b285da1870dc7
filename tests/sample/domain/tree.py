"""A tree, and who may do what to it."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from msgspec.structs import replace

from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.message import DestroyKey, Notice
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from tests.sample import contracts as words

TREE = Machine(
    "tree",
    initial="growing",
    moves=[
        Move("water", "growing", "growing"),
        Move("prune", "growing", "growing"),
        Move("relabel", "growing", "growing"),
        Move("rest", "growing", "resting"),
        Move("wake", "resting", "growing"),
        Move("fell", ("growing", "resting"), "felled"),
    ],
    ends=("felled",),
)


class Tree(Aggregate, frozen=True, kw_only=True):
    """One tree; `litres` is all the water it got."""

    kind: ClassVar = "tree"
    prefix: ClassVar = "t"
    state: str
    label: str
    litres: int = 0
    rests_until: dt.date | None = None
    owner: Private | None = None


@decides(words.PlantTree, on=Tree, facts=("same_label",))
def plant_tree(_: None, command: words.PlantTree, context: Context, *, same_label: str | None) -> tuple[object, ...]:
    """Plants a tree under a label that no standing tree has."""
    if same_label:
        raise Refused("label_taken", id=same_label)
    owner = Private(command.owner, kind="name", search=(command.owner,)) if command.owner else None
    tree = Tree(
        id=context.new_id(Tree.prefix),
        division=command.division,
        state=TREE.initial,
        label=command.label,
        owner=owner,
    )
    return tree, words.TreePlanted(tree_id=tree.id, division=tree.division, label=tree.label, owner=owner)


@decides(words.ReportStorm, on=Tree)
def report_storm(_: None, command: words.ReportStorm, context: Context) -> tuple[object, ...]:
    """Anybody may report a storm; it is kept as a felled tree."""
    tree = Tree(id=context.new_id(Tree.prefix), division=command.division, state="felled", label=command.label)
    return tree, words.TreeFelled(tree_id=tree.id)


@decides(words.WaterTree, on=Tree, key="tree_id")
def water_tree(tree: Tree, command: words.WaterTree, context: Context) -> tuple[object, ...]:
    """Waters a tree; its guardian is told."""
    after = replace(tree, state=TREE.move("water", tree.state), litres=tree.litres + command.litres)
    told = Notice(template="watered", to="guardian", about=tree.id, facts={"litres": str(command.litres)})
    return after, words.TreeWatered(tree_id=tree.id, litres=command.litres), told


@decides(words.FellTree, on=Tree, key="tree_id")
def fell_tree(tree: Tree, command: words.FellTree, context: Context) -> tuple[object, ...]:
    """Fells a tree, with a reason."""
    return replace(tree, state=TREE.move("fell", tree.state)), words.TreeFelled(tree_id=tree.id)


@decides(words.ForgetOwner, on=Tree, key="tree_id")
def forget_owner(tree: Tree, command: words.ForgetOwner, context: Context) -> tuple[object, ...]:
    """Destroys the key under which the owner's name is sealed."""
    return replace(tree, owner=None), DestroyKey(person_id=tree.id)


@decides(words.PruneTree, on=Tree, key="tree_id")
def prune_tree(tree: Tree, command: words.PruneTree, context: Context) -> tuple[object, ...]:
    """Cuts branches; where they go is the heap's affair."""
    after = replace(tree, state=TREE.move("prune", tree.state))
    return after, words.TreePruned(tree_id=tree.id, branches=command.branches)


@decides(words.RestTree, on=Tree, key="tree_id")
def rest_tree(tree: Tree, command: words.RestTree, context: Context) -> tuple[object, ...]:
    """Leaves a tree alone until the end of a day."""
    after = replace(tree, state=TREE.move("rest", tree.state), rests_until=command.until)
    return after, words.TreeRested(tree_id=tree.id, until=command.until)


@decides(words.WakeTree, on=Tree, key="tree_id")
def wake_tree(tree: Tree, command: words.WakeTree, context: Context) -> tuple[object, ...]:
    """The day is over: it may be watered again."""
    if tree.rests_until is not None and tree.rests_until >= context.today:
        raise Refused("wrong_state", until=tree.rests_until.isoformat())
    after = replace(tree, state=TREE.move("wake", tree.state), rests_until=None)
    return after, words.TreeWoken(tree_id=tree.id)


@decides(words.RelabelTree, on=Tree, key="tree_id")
def relabel_tree(tree: Tree, command: words.RelabelTree, context: Context) -> tuple[object, ...]:
    """Gives a tree another label from a day on."""
    after = replace(tree, state=TREE.move("relabel", tree.state), label=command.label)
    return after, words.TreeRelabelled(tree_id=tree.id, label=command.label, effective_on=command.holds_from)
