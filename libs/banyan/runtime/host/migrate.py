"""Brings a service's database up to date: the frame's tables first, then the service's own history, by alembic."""

from __future__ import annotations

import importlib
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, pool

from banyan.kernel.refusal import Refused
from banyan.runtime.events import lag
from banyan.runtime.host import roles
from banyan.runtime.host.settings import Settings

MARKED = "banyan"  # the comment on a database's roles says who made them: banyan:<mode>

COMPRESS = """
do $$ begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        execute format('alter database %I set default_toast_compression = lz4', current_database());
    end if;
end $$
"""
"""Long values are compressed by what is several times quicker, in sessions from now on, where the server has it."""


def mark(settings: Settings) -> str:
    """What stands on the roles of a database that this mode may write to."""
    return f"{MARKED}:{settings.mode}"


def ensure_database(settings: Settings, service: str) -> None:
    """Makes the service's database and its two roles where they are missing; see `roles.ensure` for what it refuses."""
    secret = settings.role_password(service, make=True)
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        roles.ensure(connection, settings.database(service), mark(settings), secret)


def require_ours(settings: Settings, service: str) -> None:
    """Refuses `not_our_database` unless the service's database bears this mode's mark: asked before a process serves.

    Refuses `no_entry_to_database` where the service's role cannot connect to it at all."""
    try:
        connection = psycopg.connect(settings.database_url(service))
    except psycopg.OperationalError as error:
        raise Refused("no_entry_to_database", database=settings.database(service), said=str(error)) from error
    with connection:
        roles.check(connection, settings.database(service), mark(settings))


def migrate(settings: Settings, service: str, package: str) -> str:
    """Runs every missing migration of a service in one transaction each; answers the revision it stands at."""
    ensure_database(settings, service)
    engine = create_engine(_sqlalchemy_url(settings.owner_url(service)), poolclass=pool.NullPool)
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("select pg_advisory_xact_lock(hashtext('banyan migrate'))")
        if driver.execute("select to_regclass('public.outbox')").fetchone()[0] is None:
            driver.execute(_sql("frame.sql"))
            driver.execute(lag.TABLE)
        driver.execute(_sql("forget.sql"))
        driver.execute(COMPRESS)
        config = _config(package)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        driver.execute("select make_partitions()")
        roles.grant(driver, declared_rights(package))
        return str(MigrationContext.configure(connection).get_current_revision())


def _sql(name: str) -> str:
    return resources.files("banyan.runtime.host").joinpath(name).read_text("utf-8")


def declared_rights(package: str) -> dict[str, str]:
    """Table → rights of the login role, where a service's tables.py declares more than a record's."""
    said = vars(importlib.import_module(f"{package}.tables")).values()
    tables = [table for each in said if isinstance(each, MetaData) for table in each.tables.values()]
    return {table.name: table.info["rights"] for table in tables if "rights" in table.info}


def newest(package: str) -> str | None:
    """The revision that the code expects."""
    return ScriptDirectory.from_config(_config(package)).get_current_head()


def _config(package: str) -> Config:
    config = Config()
    folder = Path(str(resources.files(package).joinpath("migrations")))
    config.set_main_option("script_location", str(Path(__file__).with_name("alembic")))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "os")
    return config


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
