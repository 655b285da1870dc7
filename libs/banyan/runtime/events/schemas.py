"""Projection tables in a schema of their own: made from one MetaData, compared by digest, swapped at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from psycopg import sql
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from banyan.runtime.host import roles

LIVE, REBUILD, OLD = "live", "rebuild", "replaced"
DIFFERENCES = 20  # how many differing rows of a table are named


def make(connection: Any, metadata: MetaData, schema: str) -> None:
    """Makes all tables of the metadata anew in a schema, dropping what stood there; within the caller's transaction."""
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))
    connection.execute(sql.SQL("create schema {}").format(name))
    connection.execute(sql.SQL("set local search_path = {}").format(name))
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
    connection.execute("set local search_path to default")
    roles.grant_schema(connection, schema)


def make_live(connection: Any, metadata: MetaData) -> None:
    """What a service's first migration calls: the live schema, and that names are looked for in it after `public`."""
    make(connection, metadata, LIVE)
    look_in_live(connection)


def look_in_live(connection: Any) -> None:
    """Sets for the database what no dump of it holds: names are looked for in the live schema after `public`."""
    database = connection.execute("select current_database()").fetchone()[0]
    path = sql.SQL("alter database {} set search_path = public, {}")
    connection.execute(path.format(sql.Identifier(database), sql.Identifier(LIVE)))


def look_in(connection: Any, schema: str) -> None:
    """For the rest of the transaction, names mean the tables of this schema (and the frame's in `public`)."""
    connection.execute(sql.SQL("set local search_path = public, {}").format(sql.Identifier(schema)))


def digest(connection: Any, table: Table, schema: str) -> tuple[int, str]:
    """How many rows a table has, and the SHA-256 over them in the order of the key."""
    seen, rows = hashlib.sha256(), 0
    copy = sql.SQL("copy (select {} from {}.{} order by {}) to stdout").format(
        _columns(c.name for c in table.columns),
        sql.Identifier(schema),
        sql.Identifier(table.name),
        _columns(c.name for c in table.primary_key),
    )
    with connection.cursor() as cursor, cursor.copy(copy) as lines:
        for line in lines:
            seen.update(line)
            rows += bytes(line).count(b"\n")
    return rows, seen.hexdigest()


def differences(connection: Any, table: Table) -> list[str]:
    """Rows that only one of the two schemas has, as text: `live` or `rebuild`, and the row; at most 20."""
    columns = _columns(c.name for c in table.columns)
    select = sql.SQL("select {} from {}.{}")
    live, rebuilt = (
        select.format(columns, sql.Identifier(schema), sql.Identifier(table.name)) for schema in (LIVE, REBUILD)
    )
    statement = sql.SQL(
        "select 'live' side, d::text from ({live} except {rebuilt}) d union all"
        " select 'rebuild', d::text from ({rebuilt} except {live}) d order by 2, 1 limit {limit}"
    ).format(live=live, rebuilt=rebuilt, limit=sql.Literal(DIFFERENCES))
    return [f"{side} {row}" for side, row in connection.execute(statement).fetchall()]


def swap(connection: Any) -> None:
    """The rebuilt schema becomes the live one when the transaction commits; readers see the one or the other."""
    for statement in (
        f"drop schema if exists {OLD} cascade",
        f"alter schema {LIVE} rename to {OLD}",
        f"alter schema {REBUILD} rename to {LIVE}",
    ):
        connection.execute(statement)


def drop(connection: Any, schema: str) -> None:
    """Drops a schema that nobody needs any more; waits for readers of its tables."""
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


def _columns(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)
