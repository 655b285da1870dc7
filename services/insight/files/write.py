"""One table as a file, page by page, so that no size needs more memory than a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from banyan.kernel import cells
from banyan.kernel.context import SHANGHAI
from services.insight.domain.export_tables import About, Kind, Table

SHEET_ROWS = 1_048_576  # of a sheet, its head included; what does not fit goes on on a further one
Pages = Iterable[Sequence[Sequence[Any]]]


def write(format: str, table: Table, about: About, pages: Pages, path: Path, sheet_rows: int = SHEET_ROWS) -> None:
    """Writes the file. Values come as JSON has them: days and instants as ISO texts, None where there is nothing."""
    if format == "csv":
        _csv(table, about, pages, path)
    elif format == "xlsx":
        _xlsx(table, about, pages, path, sheet_rows)
    else:
        _parquet(table, about, pages, path)


def _csv(table: Table, about: About, pages: Pages, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(cells.csv_text([[column.title for column in table.columns]], head=True))
        for rows in pages:
            file.write(cells.csv_text((_shown(table, row) for row in rows), head=False))
        if about.hidden:
            file.write(cells.csv_text([[about.hidden]], head=False))


def _xlsx(table: Table, about: About, pages: Pages, path: Path, sheet_rows: int) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)}) as book:
        book.set_properties({"created": dt.datetime.combine(about.on, dt.time())})  # the same table is the same file
        sheets = _Sheets(book, table, sheet_rows)
        for rows in pages:
            for row in rows:
                sheets.add(_shown(table, row))
        told = book.add_worksheet("说明")
        for y, (label, value) in enumerate(
            [*about.told.items(), *([("未显示", about.hidden)] if about.hidden else [])]
        ):
            told.write_string(y, 0, label)
            told.write_string(y, 1, value)


class _Sheets:
    """The sheets of one table. Texts are text cells, whatever they begin with; ids and codes too: no zero is lost."""

    def __init__(self, book: Any, table: Table, sheet_rows: int) -> None:
        self._book, self._table, self._sheet_rows, self._sheets = book, table, sheet_rows, 0
        self._head, self._text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        self._begin()

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(self._table.title if self._sheets == 1 else str(self._sheets))
        self._sheet.freeze_panes(1, 0)
        for x, column in enumerate(self._table.columns):
            self._sheet.write_string(0, x, column.title, self._head)
        self._y = 1

    def add(self, row: Sequence[str | int | None]) -> None:
        """One row, on a further sheet where this one is full."""
        if self._y == self._sheet_rows:
            self._begin()
        for x, cell in enumerate(row):
            if isinstance(cell, int):
                self._sheet.write_number(self._y, x, cell)
            elif cell is not None:
                self._sheet.write_string(self._y, x, cell, self._text)
        self._y += 1


def _parquet(table: Table, about: About, pages: Pages, path: Path) -> None:
    """Columns by their names and types, titles beside them; what is told of the file stands in its metadata."""
    fields = [pa.field(c.name, TYPES[c.kind], metadata={"title": c.title}) for c in table.columns]
    told = {**about.told, "not_shown": str(about.not_shown)}
    schema = pa.schema(fields, metadata=told)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for rows in pages:
            columns = [[row[at] for row in rows] for at in range(len(fields))]
            typed = (map(_typed(c.kind), column) for c, column in zip(table.columns, columns, strict=True))
            arrays = [pa.array(list(column), field.type) for field, column in zip(fields, typed, strict=True)]
            file.write_batch(pa.record_batch(arrays, schema=schema))


TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.YES: pa.bool_(),
    Kind.DAY: pa.date32(),
    Kind.INSTANT: pa.timestamp("ms", "UTC"),
}


def _typed(kind: Kind) -> Callable[[Any], Any]:
    """From JSON to what Parquet keeps."""
    read: Callable[[Any], Any] | None = {Kind.DAY: dt.date.fromisoformat, Kind.INSTANT: dt.datetime.fromisoformat}.get(
        kind
    )
    return lambda value: value if value is None or read is None else read(value)


def _shown(table: Table, row: Sequence[Any]) -> list[str | int | None]:
    """A row as a person reads it."""
    return [None if cell is None else SHOWN[c.kind](cell) for c, cell in zip(table.columns, row, strict=True)]


def _beijing(instant: str) -> str:
    return f"{dt.datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


SHOWN: dict[Kind, Callable[[Any], str | int]] = {
    Kind.TEXT: str,
    Kind.WHOLE: int,
    Kind.YES: lambda yes: "是" if yes else "否",
    Kind.DAY: str,
    Kind.INSTANT: _beijing,
}
