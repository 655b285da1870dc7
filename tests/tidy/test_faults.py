"""docs/faults.md names tests that exist: a fault without its test is not told as mastered."""

from __future__ import annotations

import re

from tests.tidy.tree import ROOT, text

ROW = re.compile(r"^\| .* \| (\S+)::(test_\w+) \|$", re.MULTILINE)


def test_every_fault_has_the_test_that_it_names() -> None:
    page = text(ROOT / "docs" / "faults.md")
    named = ROW.findall(page)
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert len(named) == len(rows) > 30
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / "tests" / file).is_file() or f"def {name}(" not in text(ROOT / "tests" / file)
    ]
    assert missing == []
