"""Views of the sample service."""

from __future__ import annotations

from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db, answers
from tests.sample import contracts as words
from tests.sample.domain.tree import Tree


@answers(words.SeeTree)
def see_tree(query: words.SeeTree, context: Context, db: Db) -> words.TreeSeen:
    """A tree with its owner's name, which is noted in the audit trail."""
    tree = db.require(Tree, query.tree_id)
    return words.TreeSeen(id=tree.id, state=tree.state, litres=tree.litres, owner=db.open(tree, "owner"))


@answers(words.CountTrees)
def count_trees(query: words.CountTrees, context: Context, db: Db) -> dict[str, int]:
    """Trees by jurisdiction."""
    return {"trees": db.rows(f"select count(*) from tree where {db.jurisdiction()}")[0][0]}
