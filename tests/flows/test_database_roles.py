"""A service's role may do what the code does and no more, as PostgreSQL itself says; no crash leaves a lost database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from banyan.cli.backup import backup, restore
from banyan.kernel.refusal import Refused
from banyan.runtime.host import roles
from banyan.runtime.host.erasures import Ledger
from banyan.runtime.host.migrate import ensure_database, mark, migrate, require_ours
from banyan.runtime.host.settings import Settings
from banyan.testkit.owned import at_path, drop_database, fresh_name

ONCE_WRITTEN = ("log", "log_rest", "audit", "audit_rest", "seal", "tree_history")
PACKAGE = "tests.sample"


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Iterator[Settings]:
    made = Settings(mode="test", postgres_url=database, database_prefix=f"{fresh_name()}_", keys=tmp_path / "keys")
    yield made
    drop_database(database, made.database("sample"))


def _as_service(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(settings.database_url("sample"), autocommit=True)


def test_what_is_written_once_the_service_can_neither_change_nor_delete(settings: Settings) -> None:
    migrate(settings, "sample", PACKAGE)
    with _as_service(settings) as connection:
        assert connection.execute("select current_user").fetchone() == (settings.database("sample"),)
        connection.execute("insert into audit (at, row) values (now(), '{}')")
        for table in ONCE_WRITTEN:
            column = {"tree_history": "version = 0", "seal": "position = 0"}.get(table.split("_rest")[0])
            column = column or ("row = '{}'" if table.startswith("audit") else "body = ''")
            for forbidden in (f"update {table} set {column}", f"delete from {table}", f"truncate {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(forbidden)
        for forbidden in (
            "update head set stream = 'x'",
            "update person_key set person_id = 'x'",
            "update outbox set data = '{}'",
            "delete from tree",
            "drop trigger audit_unsealed on audit",
            "alter table log add column x int",
            "create table mine (x int)",
            "update clock set offset_ms = 1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
    ensure_database(settings, "other")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(at_path(settings.database_url("sample"), settings.database("other")))
    finally:
        drop_database(settings.postgres_url, settings.database("other"))


def test_rights_are_written_for_tables_that_there_are(settings: Settings) -> None:
    migrate(settings, "sample", PACKAGE)
    with psycopg.connect(settings.owner_url("sample")) as connection:
        tables = {row[0] for row in connection.execute(roles.TABLES, ("public",)).fetchall()}
    assert set(roles.FRAME) - tables == {"job_row"}, "and that one is registry's"


@pytest.mark.parametrize("done", ["roles", "database", "all"])
def test_a_crash_at_any_step_of_making_is_mended_by_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, done: str
) -> None:
    step = {"roles": "_database", "database": "_entry", "all": "grant"}[done]
    with monkeypatch.context() as patch:
        patch.setattr(roles, step, lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            migrate(settings, "sample", PACKAGE)
    migrate(settings, "sample", PACKAGE)
    require_ours(settings, "sample")


def test_a_lost_password_is_made_anew_by_the_next_migration(settings: Settings) -> None:
    ensure_database(settings, "sample")
    file = settings.key_folder() / "roles" / "sample.password"
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    with pytest.raises(Refused, match="role_password_missing"):
        settings.database_url("sample")
    ensure_database(settings, "sample")
    require_ours(settings, "sample")


def test_where_it_may_make_no_roles_the_administrators_script_does(settings: Settings, database: str) -> None:
    name, migrator, secret = settings.database("sample"), fresh_name(), secrets.token_hex(8)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(migrator), sql.Literal(secret)))
        try:
            place = database.rsplit("@", 1)[1]
            lesser = settings.model_copy(update={"postgres_url": f"postgresql://{migrator}:{secret}@{place}"})
            with pytest.raises(Refused, match="roles_missing"):
                migrate(lesser, "sample", PACKAGE)
            script = roles.script([name], mark(settings)).replace(":migrator", f'"{migrator}"')
            for statement in script.replace(f":'{name}'", f"'{settings.role_password('sample')}'").split(";\n"):
                admin.execute(statement)  # type: ignore[arg-type]
            migrate(lesser, "sample", PACKAGE)
            require_ours(lesser, "sample")
        finally:
            drop_database(database, name)
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(migrator)))


def test_a_restored_service_finds_its_projections_under_the_role_of_its_new_place(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(update={"database_prefix": f"{fresh_name()}_"})
    service = ("services.insight",)
    migrate(settings, "insight", *service)
    try:
        backup(settings, service, tmp_path / "kept", print)
        assert restore(elsewhere, service, tmp_path / "kept", Ledger(tmp_path), print) == 0
        with psycopg.connect(elsewhere.database_url("insight")) as connection:
            assert connection.execute("select count(*) from place").fetchone() == (0,), "in the schema `live`"
            connection.execute("insert into audit (at, row) values (now(), '{}')")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("delete from audit")
    finally:
        for each in (settings, elsewhere):
            drop_database(settings.postgres_url, each.database("insight"))


def test_another_s_database_or_role_is_left_alone(settings: Settings, database: str) -> None:
    name = settings.database("sample")
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {}").format(sql.Identifier(name)))
        with pytest.raises(Refused, match="not_our_database"):
            migrate(settings, "sample", PACKAGE)
        assert admin.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    migrate(settings, "sample", PACKAGE)
    other = settings.model_copy(update={"mode": "demo"})
    for refused in (ensure_database, require_ours):
        with pytest.raises(Refused, match="not_our_database"):
            refused(other, "sample")
    assert psycopg.connect(at_path(database, name)).info.dbname == name
