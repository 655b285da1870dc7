"""Several statements in one message: what is planned, what a failure leaves, which values arrive as they were."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from psycopg import errors

from banyan.runtime.commands import statements
from banyan.runtime.commands.statements import together

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
VALUES = (
    "it's \\ '; drop table kept; --",
    "%s $1 榕",
    None,
    7,
    True,
    NOW,
    NOW.date(),
    b"\x00\xff",
    ["a,b", 'c"d'],
    [b"x"],
)
ECHO = "select %s::text, %s::text, %s::text, %s::int, %s::bool, %s::timestamptz, %s::date, %s::bytea, %s::text[], %s::bytea[]"


@pytest.fixture
def connection(database: str) -> Any:
    with psycopg.connect(database, autocommit=True) as opened:
        opened.execute("set timezone to 'UTC'")
        opened.execute("create table kept (n int primary key)")
        yield opened


def rows(connection: Any) -> list[Any]:
    return [n for (n,) in connection.execute("select n from kept order by n").fetchall()]


def test_values_arrive_as_they_were_also_the_second_time(connection: Any) -> None:
    for _ in range(2):
        assert together(connection, b"select 1", (ECHO, VALUES)).fetchone() == VALUES
    with pytest.raises(psycopg.DataError):
        together(connection, ("select %s::text", ("a\0b",)))
    with pytest.raises(errors.InvalidTextRepresentation):
        together(connection, ("select %s::int", ("1); drop table kept",)))
    assert rows(connection) == []


def test_the_first_failure_ends_the_message_and_nothing_is_committed(connection: Any) -> None:
    insert = "insert into kept values (%s)"
    with pytest.raises(errors.UniqueViolation):
        together(connection, b"begin", (insert, (1,)), (insert, (1,)), b"commit")
    connection.rollback()
    assert rows(connection) == []
    together(connection, b"begin", (insert, (1,)), (insert, (2,)), b"commit", b"notify outbox")
    assert rows(connection) == [1, 2]


def test_a_limit_set_in_the_message_holds_for_what_follows_in_it(connection: Any) -> None:
    with pytest.raises(errors.QueryCanceled):
        together(connection, b"begin; set local statement_timeout = 50", ("select pg_sleep(%s)", (5,)))


def test_after_a_rollback_psycopg_forgets_all_plans_and_the_second_try_succeeds(connection: Any) -> None:
    together(connection, ("select %s::int", (1,)))
    connection.execute("select 1", prepare=True)
    with connection.transaction(force_rollback=True):
        connection.execute("select 1")
    with pytest.raises(errors.InvalidSqlStatementName):
        together(connection, ("select %s::int", (2,)))
    assert together(connection, ("select %s::int", (2,))).fetchone() == (2,)


def test_no_more_than_so_many_are_kept_planned(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "KEPT", 3)
    for n in [1, 2, 3, 1, 4, 5, 2]:
        assert together(connection, (f"select {n} + %s::int", (1,))).fetchone() == (n + 1,)
    planned = connection.execute("select statement from pg_prepared_statements order by prepare_time", prepare=False)
    assert [text.split(" + ")[0][-1] for (text,) in planned.fetchall()] == ["4", "5", "2"]
