"""The glossary: sorted, one row a term, every row whole."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_rows_are_whole_sorted_and_unique() -> None:
    lines = [line for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert len(rows) > 100 and all(len(row) == 3 and all(row) for row in rows)
    terms = [row[0].casefold() for row in rows]
    assert terms == sorted(terms), [later for earlier, later in pairwise(terms) if later < earlier]
    assert len(set(terms)) == len(terms)
