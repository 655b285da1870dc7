"""What the migration of registry makes is what its tables declare, as PostgreSQL itself says both."""

from __future__ import annotations

from sqlalchemy import create_engine

from tests.flows.registry_desk import Desk


def test_the_migration_makes_what_the_tables_declare(desk: Desk):
    made = _shape(desk)
    desk.run("create schema declared")
    _declare(desk)

    assert len(made) == 2 * len(("person", "assignment", "upload", "import"))
    assert _shape(desk, "declared") == made


def _declare(desk: Desk) -> None:
    """Makes the declared tables beside the migrated ones, in a schema of their own."""
    url = desk.url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, connect_args={"options": "-c search_path=declared,public"})
    with engine.begin() as connection:
        for table in desk.service.metadata.sorted_tables:
            table.create(connection, checkfirst=False)
    engine.dispose()


def _shape(desk: Desk, schema: str = "public") -> dict[str, list[tuple[object, ...]]]:
    """Columns, constraints and indexes of each table, as PostgreSQL says them."""
    names = [table.name for table in desk.service.metadata.sorted_tables]
    columns = (
        "select table_name, 'column', column_name, data_type, collation_name, generation_expression, is_nullable"
        " from information_schema.columns where table_schema = %s and table_name = any(%s) order by 1, 3"
    )
    indexes = (
        "select tablename, 'index', regexp_replace(replace(indexdef, schemaname || '.', ''), 'INDEX \\S+', 'INDEX')"
        " from pg_indexes where schemaname = %s and tablename = any(%s) order by 1, 3"
    )
    checks = (
        "select c.relname, k.contype::text, pg_get_constraintdef(k.oid) from pg_constraint k"
        " join pg_class c on c.oid = k.conrelid where c.relnamespace = %s::regnamespace and c.relname = any(%s)"
        " order by 1, 2, 3"
    )
    found: dict[str, list[tuple[object, ...]]] = {}
    for sql in (columns, indexes, checks):
        for name, *rest in desk.rows(sql, (schema, names)):
            found.setdefault(str(name), []).append(tuple(rest))
    return found
