"""Tables as CSV that people open in spreadsheets: marked as UTF-8, and no cell that a spreadsheet would compute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

MARK = "\ufeff"  # so that spreadsheets read the text as UTF-8
MEDIA_TYPE = "text/csv; charset=utf-8"
GUARD = "'"
RUNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")  # spreadsheets take the wide ones too


def harmless(text: str) -> str:
    """A text that would begin a formula has an apostrophe before it, which spreadsheets take for text."""
    return GUARD + text if text.startswith(RUNS) else text


def as_given(text: str) -> str:
    """The text without the apostrophe that `harmless` put before it."""
    return text[1:] if text.startswith(GUARD) and text[1:].startswith(RUNS) else text


def csv_text(rows: Iterable[Sequence[object]], *, head: bool) -> str:
    """CSV (RFC 4180), lines ended by CR LF; numbers as they are, texts harmless, None empty. `head` puts the mark first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return (MARK if head else "") + out.getvalue()
