"""The tables of an aggregate: its body as jsonb, the columns that PostgreSQL keeps from it, and its history."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Computed, Date, DateTime, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import BigInteger, Boolean, TypeEngine

from banyan.kernel.decision import Aggregate

_KEPT: dict[str, tuple[type[TypeEngine[Any]], str]] = {
    "text": (Text, "({})"),
    "int": (BigInteger, "(({})::bigint)"),
    "bool": (Boolean, "(({})::boolean)"),
    "date": (Date, "iso_date({})"),
    "instant": (DateTime, "iso_instant({})"),
}


def kept(name: str, path: str | None = None, *, as_: str = "text") -> Column[Any]:
    """A column that PostgreSQL computes from the body: `kept("document_index", "document.i.0")`."""
    column, cast = _KEPT[as_]
    steps = ",".join((path or name).split("."))
    sql = cast.format(f"body #>> '{{{steps}}}'")
    kind = DateTime(timezone=True) if as_ == "instant" else column()
    return Column(name, kind, Computed(sql, persisted=True))


def aggregate_table(metadata: MetaData, aggregate: type[Aggregate], *parts: Any) -> Table:
    """The table of an aggregate, and its history: a row a version, with when it holds and when it was known."""
    table = Table(
        aggregate.kind,
        metadata,
        Column("id", Text(collation="C"), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("division", Text(collation="C"), nullable=False),
        Column("body", JSONB, nullable=False),
        *parts,
        info={"aggregate": aggregate},
    )
    Index(f"{aggregate.kind}_division", table.c.division, table.c.id)
    Table(
        f"{aggregate.kind}_history",
        metadata,
        Column("id", Text(collation="C"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("effective_on", Date, nullable=False),
        Column("known_at", DateTime(timezone=True), nullable=False),
        Column("body", JSONB, nullable=False),
    )
    return table
