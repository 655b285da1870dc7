"""The one way to a database: a pool of psycopg connections whose transactions the caller begins and ends itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

Pool = ConnectionPool[psycopg.Connection]


def open_pool(url: str, *, size: int, name: str) -> Pool:
    """A pool of up to `size` autocommit connections; a command writes begin and commit itself, in pipelines."""
    options = f"{conninfo_to_dict(url).get('options', '')} -c timezone=UTC"
    pool: Pool = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        kwargs={"autocommit": True, "application_name": name, "options": options},
        check=None,
        timeout=10,
        max_idle=120,
        open=True,
        name=name,
    )
    return pool


def given_or_own(connection: psycopg.Connection | None, pool: Pool) -> AbstractContextManager[psycopg.Connection]:
    """The connection that is given, else one of the pool's. Whoever has one gives it: holding one while waiting for
    another, as many as the pool has would wait for each other."""
    return nullcontext(connection) if connection else pool.connection()
