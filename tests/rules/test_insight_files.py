"""A table is the same in every format, cell by cell, and no cell of it is ever computed by a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from banyan.kernel import cells
from banyan.kernel.context import SHANGHAI
from services.insight.domain import export_tables
from services.insight.domain.export_tables import TABLES, About, Kind
from services.insight.files.write import write
from services.insight.views import flaws, people, requests, tables, trend

ABOUT = About(told={"表": "测试", "辖区": "福建省"}, not_shown=3, on=dt.date(2026, 3, 2))
RUNS = '=HYPERLINK("http://example.invalid","看")'
TEXTS = ("350102001001", "007", "林，晓\"梅\"", "𠮷·买买提", RUNS, "+86", "-", "@a", "两\n行", "'=1", "")  # fmt: skip
INSTANT = dt.datetime(2026, 3, 1, 16, 0, 0, 123_000, dt.UTC)
VALUES: dict[Kind, Any] = {
    Kind.TEXT: lambda n: TEXTS[n % len(TEXTS)],
    Kind.WHOLE: lambda n: n * 7 - 9,
    Kind.YES: lambda n: n % 2 == 0,
    Kind.DAY: lambda n: (dt.date(2026, 1, 1) + dt.timedelta(days=n)).isoformat(),
    Kind.INSTANT: lambda n: (INSTANT + dt.timedelta(hours=n)).isoformat().replace("+00:00", "Z"),
}


def rows_of(table: str, many: int = 25) -> list[list[Any]]:
    """Rows of every kind of value, some of them missing."""
    pick = random.Random(table)
    columns = TABLES[table].columns
    return [
        [None if pick.randrange(5) == 0 else VALUES[c.kind](n + x) for x, c in enumerate(columns)] for n in range(many)
    ]


def written(format: str, table: str, rows: list[list[Any]], folder: Path, **more: int) -> Path:
    path = folder / f"{table}.{format}"
    pages = [rows[at : at + 10] for at in range(0, len(rows), 10)] or [[]]
    write(format, TABLES[table], ABOUT, pages, path, **more)
    return path


def csv_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def as_csv_says(kind: Kind, value: Any) -> str:
    """A value of the Parquet file as the CSV writes it."""
    if value is None:
        return ""
    if kind is Kind.INSTANT:
        return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    if kind is Kind.YES:
        return "是" if value else "否"
    return cells.harmless(value) if kind is Kind.TEXT else str(value)


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_cell_is_the_same_in_csv_xlsx_and_parquet(table: str, tmp_path: Path) -> None:
    rows, columns = rows_of(table), TABLES[table].columns
    head, *lines = csv_of(written("csv", table, rows, tmp_path))
    told = lines.pop()
    assert head == [c.title for c in columns] and told == ["另有 3 件受保护个案未显示"]
    book = CalamineWorkbook.from_path(written("xlsx", table, rows, tmp_path))
    parquet = pq.read_table(written("parquet", table, rows, tmp_path))
    assert book.sheet_names == [TABLES[table].title, "说明"]
    assert book.get_sheet_by_index(1).to_python()[-1] == ["未显示", "另有 3 件受保护个案未显示"]
    assert (parquet.schema.names, parquet.schema.metadata[b"not_shown"]) == ([c.name for c in columns], b"3")
    sheet = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert sheet[0] == head and len(sheet) == len(lines) + 1 == parquet.num_rows + 1
    values = parquet.to_pylist()
    for line, shown, kept, row in zip(lines, sheet[1:], values, rows, strict=True):
        for column, cell, in_sheet, given in zip(columns, line, shown, row, strict=True):
            value = kept[column.name]
            assert as_csv_says(column.kind, value) == cell.replace("\r\n", "\n"), column.name
            if column.kind is Kind.WHOLE and given is not None:
                assert (in_sheet, value) == (given, given) and cell == str(given)
            elif column.kind is Kind.TEXT:
                assert (in_sheet or None, value) == (given or None, given)
            else:
                assert in_sheet == cell


def test_a_cell_that_would_be_a_formula_is_a_text_everywhere(tmp_path: Path) -> None:
    rows = [["350000000000", RUNS, *([1] * 6)]]
    text = written("csv", "people", rows, tmp_path).read_text("utf-8-sig")
    assert csv_of(tmp_path / "people.csv")[1][1] == "'" + RUNS and "\r\n=" not in text and ",=" not in text
    xml = _xml(written("xlsx", "people", rows, tmp_path))
    assert "<f>" not in xml and "<hyperlink" not in xml and "=HYPERLINK" in xml
    assert pq.read_table(written("parquet", "people", rows, tmp_path)).to_pylist()[0]["name"] == RUNS
    for text in (*TEXTS[:-2], "＝1", "\t=1"):
        assert cells.as_given(cells.harmless(text)) == text
        assert not cells.harmless(text).startswith(cells.RUNS)


def _xml(path: Path) -> str:
    with zipfile.ZipFile(path) as book:
        return "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))


def test_rows_that_fill_a_sheet_go_on_on_the_next_and_none_is_lost(tmp_path: Path) -> None:
    rows = [[str(n), "福州市", *([n] * 6)] for n in range(25)]
    book = CalamineWorkbook.from_path(written("xlsx", "people", rows, tmp_path, sheet_rows=11))
    assert book.sheet_names == ["人才队伍", "2", "3", "说明"]
    found = [book.get_sheet_by_index(at).to_python()[1:] for at in range(3)]
    assert [row[0] for sheet in found for row in sheet] == [str(n) for n in range(25)]


@pytest.mark.parametrize("format", sorted(export_tables.MEDIA_TYPES))
def test_a_table_without_rows_still_says_its_columns(format: str, tmp_path: Path) -> None:
    path = written(format, "flaws", [], tmp_path)
    if format == "csv":
        assert csv_of(path)[0] == ["问题", "编号", "区划代码"]
    elif format == "xlsx":
        assert CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python() == [["问题", "编号", "区划代码"]]
    else:
        table = pq.read_table(path)
        assert (table.num_rows, table.schema.names) == (0, ["kind", "id", "division"])


def test_the_words_that_choose_are_those_that_the_views_know() -> None:
    assert set(TABLES) == set(tables.SOURCES)
    assert set(TABLES["people_list"].of) == {*people.POPULATIONS, people.ASSIGNED}
    assert set(TABLES["request_list"].of) == set(requests.FIGURES)
    assert tuple(export_tables.REQUEST_SUMS) == requests.SUMS
    assert set(TABLES["flaws"].of) == set(flaws.TITLES)
    assert set(TABLES["trend"].of) == {*people.POPULATIONS, trend.SERVED, trend.TAKEN, trend.ENDED}
