"""Tables of the sample service."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, Table, Text, text

from banyan.runtime.commands.tables import aggregate_table, kept
from tests.sample.domain.heap import Heap
from tests.sample.domain.tree import Tree

METADATA = MetaData()
TREE = aggregate_table(
    METADATA,
    Tree,
    kept("state"),
    kept("label"),
    kept("litres", as_="int"),
    kept("rests_until", as_="date"),
    CheckConstraint("litres <= 5000", name="too_wet"),
    Index("label_taken", "label", unique=True, postgresql_where=text("state <> 'felled'")),
)
HEAP = aggregate_table(METADATA, Heap)
WATER = Table("water", METADATA, Column("tree_id", Text, primary_key=True), Column("litres", Integer, nullable=False))
