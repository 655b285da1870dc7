"""Views of the sample service."""

from __future__ import annotations

from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from tests.sample import contracts as words
from tests.sample.domain.tree import Tree


@answers(words.SeeTree)
def see_tree(query: words.SeeTree, context: Context, db: Db) -> words.TreeSeen:
    """A tree with its owner's name, which is noted in the audit trail."""
    tree = db.require(Tree, query.tree_id)
    return words.TreeSeen(id=tree.id, state=tree.state, litres=tree.litres, label=tree.label, owner=db.open(tree, "owner"))


@answers(words.TreeAsOf)
def tree_as_of(query: words.TreeAsOf, context: Context, db: Db) -> words.TreeSeen:
    """A tree on a day, as it was known at an instant; the owner is not opened."""
    db.require(Tree, query.tree_id)
    tree = db.as_of(Tree, query.tree_id, query.on, query.known_at)
    if tree is None:
        raise Refused("not_found", id=query.tree_id)
    return words.TreeSeen(id=tree.id, state=tree.state, litres=tree.litres, label=tree.label)


@answers(words.Almanac)
def almanac(query: words.Almanac, context: Context, db: Db) -> words.Day:
    """The day by which all rules judge."""
    return words.Day(today=context.today, now=context.now, litres_most=context.figure("litres_most"))


@answers(words.CountTrees)
def count_trees(query: words.CountTrees, context: Context, db: Db) -> dict[str, int]:
    """Trees by jurisdiction."""
    return {"trees": db.rows(f"select count(*) from tree where {db.jurisdiction()}")[0][0]}
