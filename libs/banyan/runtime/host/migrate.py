"""Brings a service's database up to date: the frame's tables first, then the service's own history, by alembic."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine, pool

from banyan.kernel.refusal import Refused
from banyan.runtime.events import lag
from banyan.runtime.host.settings import Settings

MARKED = "banyan"  # the comment on a database that says who made it: <mode> of banyan

MARK_OF = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"


def mark(settings: Settings) -> str:
    """What stands on a database that this mode may write to."""
    return f"{MARKED}:{settings.mode}"


def ensure_database(settings: Settings, service: str) -> None:
    """Creates the service's database where there is none; refuses `not_our_database` at one of another maker."""
    name = f"{settings.database_prefix}{service}"
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        found = connection.execute(MARK_OF, (name,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            note = sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(mark(settings)))
            connection.execute(note)
        elif found[0] != mark(settings):
            raise Refused("not_our_database", database=name, marked=found[0] or "", mode=settings.mode)


def require_ours(settings: Settings, service: str) -> None:
    """Refuses `not_our_database` unless the service's database bears this mode's mark: asked before a process serves."""
    name = f"{settings.database_prefix}{service}"
    with psycopg.connect(settings.database_url(service)) as connection:
        found = connection.execute(MARK_OF, (name,)).fetchone()
    if found is None or found[0] != mark(settings):
        raise Refused("not_our_database", database=name, marked=(found and found[0]) or "", mode=settings.mode)


def migrate(settings: Settings, service: str, package: str) -> str:
    """Runs every missing migration of a service in one transaction each; answers the revision it stands at."""
    ensure_database(settings, service)
    engine = create_engine(_sqlalchemy_url(settings.database_url(service)), poolclass=pool.NullPool)
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("select pg_advisory_xact_lock(hashtext('banyan migrate'))")
        if driver.execute("select to_regclass('public.outbox')").fetchone()[0] is None:
            driver.execute(resources.files("banyan.runtime.host").joinpath("frame.sql").read_text("utf-8"))
            driver.execute(lag.TABLE)
        config = _config(package)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return str(MigrationContext.configure(connection).get_current_revision())


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
