"""The one way to a database: a pool of psycopg connections whose transactions the caller begins and ends itself."""

from __future__ import annotations

import os

# Before the first import of psycopg: its binary wait would freeze all greenlets of an eventlet process.
os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")

import psycopg
from psycopg_pool import ConnectionPool

Pool = ConnectionPool[psycopg.Connection]


def assert_cooperative() -> None:
    """Stops the start where psycopg would block a whole process of greenlets."""
    from psycopg import waiting

    if waiting.wait is not waiting.wait_selector:
        raise RuntimeError("psycopg was imported before PSYCOPG_WAIT_FUNC=wait_selector was set")


def open_pool(url: str, *, size: int, name: str) -> Pool:
    """A pool of up to `size` autocommit connections; a command writes begin and commit itself, in pipelines."""
    assert_cooperative()
    pool: Pool = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        kwargs={"autocommit": True, "application_name": name, "options": "-c timezone=UTC"},
        check=None,
        timeout=10,
        max_idle=120,
        open=True,
        name=name,
    )
    return pool
