"""Partitions are there before the rows; a clock that leaps makes few; what came too early stays, is said, and is moved by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from banyan.cli.clock import forward
from banyan.runtime.host import upkeep
from banyan.runtime.host.db import open_pool
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.testkit.owned import drop_database, fresh_name

DAY_MS = 86_400_000
OPERATORS = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
ROW = "insert into audit (at, row) values (banyan_now() + %s * interval '1 day', '{}')"
PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass order by 1"


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Iterator[Settings]:
    made = Settings(mode="test", postgres_url=database, database_prefix=f"{fresh_name()}_", keys=tmp_path / "keys")
    migrate(made, "sample", "tests.sample")
    yield made
    drop_database(database, made.database("sample"))


def _rows(settings: Settings, sql: str, *values: object) -> list[tuple[object, ...]]:
    """As the owner: the service may read a partition through its table only."""
    with psycopg.connect(settings.owner_url("sample")) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def _kept_up(settings: Settings) -> list[str]:
    """What `work` does each minute, as the service's own role; answers what it logged."""
    pool = open_pool(settings.database_url("sample"), size=1, name="test")
    try:
        with capture_logs() as logged:
            upkeep.turn("sample", pool)
    finally:
        pool.close()
    return [entry["event"] for entry in logged]


def test_the_month_and_the_next_are_there_from_the_first_migration(settings: Settings) -> None:
    assert len(_rows(settings, PARTITIONS, "audit")) == 3
    _rows(settings, ROW, 0)
    assert _rows(settings, "select stray_rows()") == [(0,)]
    assert _kept_up(settings) == []


def test_a_leap_of_ten_years_makes_two_months_and_no_row_strays(settings: Settings) -> None:
    forward(settings, ("sample",), 3650 * DAY_MS)
    assert _rows(settings, ROW, 0) == []
    assert len(_rows(settings, PARTITIONS, "audit")) == 5
    assert _rows(settings, "select stray_rows(), (select count(*) from unsealed)") == [(0, 1)]
    assert _kept_up(settings) == []


def test_the_log_gets_its_next_range_before_the_last_is_full(settings: Settings) -> None:
    stream = "insert into stream (name, position, chain) values ('sample.tree', %s, '')"
    _rows(settings, stream, 9_999_999)
    assert _kept_up(settings) == ["已预建分区"]
    assert ("log_2",) in _rows(settings, PARTITIONS, "log")
    row = "insert into log values ('sample.tree', %s, 'e', 't', 'a', now(), '', '', '', '')"
    _rows(settings, row, 10_000_001)
    assert _rows(settings, "select stray_rows(), (select count(*) from log_2)") == [(0, 1)]


def test_rows_before_their_partition_stay_are_told_and_are_moved_as_the_page_says(settings: Settings) -> None:
    _rows(settings, ROW, 100)
    (month,) = _rows(settings, "select to_char(at at time zone 'utc', 'YYYY-MM') from audit")[0]
    _rows(settings, "update clock set offset_ms = %s", 100 * DAY_MS)  # by another hand than ours
    assert _kept_up(settings)[-1] == "缺省分区中有数据，请按 docs/operators.md 处理"
    assert _rows(settings, "select count(*) from audit_rest") == [(1,)]
    by_hand = re.search(r"```sql\n(begin;.*?)```", OPERATORS.read_text("utf-8"), re.S)
    assert by_hand is not None
    year, number = map(int, str(month).split("-"))
    after = f"{year + number // 12}-{number % 12 + 1:02}"
    text = (
        by_hand[1]
        .replace("2026-12", str(month))
        .replace("2027-01", after)
        .replace("2026_12", str(month).replace("-", "_"))
    )
    with psycopg.connect(settings.owner_url("sample"), autocommit=True) as connection:
        connection.execute(text.replace("banyan_registry", settings.database("sample")))  # type: ignore[arg-type]
    assert _rows(settings, "select stray_rows(), (select count(*) from audit)") == [(0, 1)]
    assert _rows(settings, "select count(*) from unsealed") == [(1,)], "moved is not written again"
    assert "缺省分区" not in str(_kept_up(settings))
