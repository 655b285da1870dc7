"""Rows of an import that were refused, as a table: as uploaded, and why, and what to do; corrected, it is taken in again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from banyan.kernel import cells
from banyan.kernel.refusal import sentence
from services.registry.imports import REFUSED_COLUMNS, text_of

Refusal = tuple[int, str, str]  # the row's number in the file, the code, its facts as JSON


def refused_csv(header: Sequence[object], rows: Mapping[int, Sequence[object]], refusals: Sequence[Refusal]) -> str:
    """One line for each refused row, under the file's own header."""
    width = max([len(header), *(len(rows[number]) for number, *_ in refusals)])
    head = [*_padded(header, width), *REFUSED_COLUMNS]
    lines = ([*_padded(rows[number], width), number, *_why(code, facts)] for number, code, facts in refusals)
    return cells.csv_text([head, *lines], head=True)


def _padded(row: Sequence[object], width: int) -> list[str]:
    return [text_of(cell) for cell in row] + [""] * (width - len(row))


def _why(code: str, facts: str) -> tuple[str, str, str]:
    title, remedy = sentence(code)
    shown = facts_shown(facts)
    return code, f"{title}（{shown}）" if shown else title, remedy


def facts_shown(facts: str) -> str:
    """A refusal's facts as people read them."""
    return "；".join(f"{name}={value}" for name, value in msgspec.json.decode(facts).items())
