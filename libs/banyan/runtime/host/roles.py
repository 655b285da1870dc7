"""The two roles of a service's database: an owner, which migrates, and a login role, which the processes are.

The login role bears the database's name and may do what the code does and no more: what is written once (log, audit,
seals, history) it can neither change nor delete. The mark of who made a database is the comment on its owner: the role
has it from its first transaction and the database has the owner from its creation, so that no crash parts them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from psycopg import sql

from banyan.kernel.refusal import Refused

PASSWORD_BYTES = 24
ONCE = "select, insert"
FRAME: Mapping[str, str] = {
    "alembic_version": "select",
    "clock": "select",
    "idempotency": "select, insert, update (reply, refused, expires_at), delete",
    "person_key": "select, insert, update (wrapped, destroyed_at)",
    "outbox": "select, insert, delete",
    "stream": "select, insert, update",
    "log": ONCE,
    "head": "select, insert, update (signed_at, head)",  # an idle stream's head is signed anew at its position
    "audit": ONCE,
    "unsealed": "select, insert, delete",
    "seal": ONCE,
    "cursor": "select, insert, update",
    "parked": "select, insert, update, delete",
    "job_row": ONCE,
}
HISTORY, HISTORY_ENDING = ONCE, "_history"
RECORD = "select, insert, update"
PROJECTION = "select, insert, update, delete"
FOUND = "select d.datname, pg_get_userbyid(d.datdba) from pg_database d where d.datname = %s"
MARKS = "select rolname, shobj_description(oid, 'pg_authid') from pg_roles where rolname = any(%s)"
MAY_CREATE = "select rolsuper, rolsuper or rolcreaterole from pg_roles where rolname = current_user"
SCHEMAS = (
    "select nspname from pg_namespace where nspname <> 'information_schema' and nspname not like 'pg\\_%' order by 1"
)
TABLES = (
    "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'p')"
    " and not relispartition order by 1"
)
NOTHING: Mapping[str, str] = {}


def owner_of(database: str) -> str:
    """The name of a database's owner; the login role's is the database's own."""
    return f"{database}_owner"


def password(file: Path, *, make: bool = False) -> str:
    """The login role's password from its file of mode 0600; a missing one is made only where `make` says so.

    Refuses `role_password_missing`. A new one loses nothing: the next migration gives it to the role."""
    if not file.exists():
        if not make:
            raise Refused("role_password_missing", file=str(file))
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(secrets.token_urlsafe(PASSWORD_BYTES) + "\n")
    return file.read_text().strip()


def check(connection: Any, database: str, mark: str) -> tuple[bool, set[str]]:
    """(whether the database is there, which of its roles are); refuses `not_our_database` where one is another's."""
    marks = dict(connection.execute(MARKS, ([database, owner_of(database)],)).fetchall())
    found = connection.execute(FOUND, (database,)).fetchone()
    strange = [role for role, its in marks.items() if its != mark]
    if strange or (found and (found[1] != owner_of(database) or len(marks) < 2)):
        raise Refused("not_our_database", database=database, mark=mark, roles=marks, owner=found[1] if found else "")
    return found is not None, set(marks)


def ensure(connection: Any, database: str, mark: str, secret: str) -> None:
    """Makes what is missing of roles and database, on an autocommit connection of who may; done again it changes
    nothing but the password. Refuses `not_our_database`, and `roles_missing` to who may create no roles."""
    connection.execute("select pg_advisory_lock(hashtext('banyan roles'))")
    exists, roles = check(connection, database, mark)
    is_super, may_create = connection.execute(MAY_CREATE).fetchone()
    if may_create:
        with connection.transaction():
            for statement in _creating(database, mark, roles):
                connection.execute(statement)
            if not is_super:
                connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(owner_of(database))))
            sealed = connection.pgconn.encrypt_password(secret.encode(), database.encode(), b"scram-sha-256")
            change = sql.SQL("alter role {} password {}")
            connection.execute(change.format(sql.Identifier(database), sql.Literal(sealed.decode())))
    elif len(roles) < 2:
        raise Refused("roles_missing", database=database)
    if not exists:
        connection.execute(_database(database))
    for statement in _entry(database):
        connection.execute(statement)
    connection.execute("select pg_advisory_unlock(hashtext('banyan roles'))")


def grant(connection: Any, more: Mapping[str, str] | None = None) -> None:
    """Gives the login role its rights on every table, as the owner; `more`: table → rights that a service declares."""
    for schema in [row[0] for row in connection.execute(SCHEMAS).fetchall()]:
        grant_schema(connection, schema, more or {})


def grant_schema(connection: Any, schema: str, more: Mapping[str, str] = NOTHING) -> None:
    """Gives the login role its rights in one schema. A test's bare database has no such role: nothing is given."""
    database = connection.execute("select current_database()").fetchone()[0]
    if connection.execute("select 1 from pg_roles where rolname = %s", (database,)).fetchone() is None:
        return
    role = sql.Identifier(database)
    connection.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), role))
    for (table,) in connection.execute(TABLES, (schema,)).fetchall():
        at = sql.Identifier(schema, table)
        rights = sql.SQL(rights_on(schema, table, more))
        connection.execute(sql.SQL("revoke all on {} from {}").format(at, role))
        connection.execute(sql.SQL("grant {} on {} to {}").format(rights, at, role))


def rights_on(schema: str, table: str, more: Mapping[str, str]) -> str:
    """What the login role may do with a table. Outside `public` stand projections, which are made again from events."""
    if schema != "public":
        return PROJECTION
    if table.endswith(HISTORY_ENDING):
        return HISTORY
    return more.get(table) or FRAME.get(table) or RECORD


def script(databases: Iterable[str], mark: str) -> str:
    """The SQL by which an administrator makes roles and databases where `banyan migrate` may not."""
    lines = []
    for database in databases:
        statements = [*_creating(database, mark, set()), _database(database), *_entry(database)]
        lines += ["", f"-- {database}", *(f"{statement.as_string()};" for statement in statements)]
        lines += [f'grant "{owner_of(database)}" to :migrator;', f"alter role \"{database}\" password :'{database}';"]
    return "\n".join(lines[1:]) + "\n"


def _creating(database: str, mark: str, roles: set[str]) -> list[sql.Composed]:
    kinds = {owner_of(database): "nologin", database: "login"}
    made = []
    for role, kind in kinds.items():
        if role not in roles:
            name = sql.Identifier(role)
            made.append(sql.SQL("create role {} " + kind).format(name))
            made.append(sql.SQL("comment on role {} is {}").format(name, sql.Literal(mark)))
    return made


def _database(database: str) -> sql.Composed:
    return sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(owner_of(database)))


def _entry(database: str) -> list[sql.Composed]:
    """Nobody but the login role and the owner may connect."""
    name = sql.Identifier(database)
    return [
        sql.SQL("revoke all on database {} from public").format(name),
        sql.SQL("grant connect on database {} to {}").format(name, name),
    ]
