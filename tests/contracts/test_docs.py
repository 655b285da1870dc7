"""The generated pages follow from the code: `make docs` writes them, and these fail where one was forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from banyan.cli import docs

PAGES = docs.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    assert (docs.DOCS / name).read_text("utf-8") == PAGES[name], "run `make docs`"


def test_no_diagram_is_of_a_machine_that_is_no_more() -> None:
    drawn = {f"machines/{path.name}" for path in docs.DOCS.glob("machines/*.mmd")}
    assert drawn == {name for name in PAGES if name.startswith("machines/")}


def test_every_duty_that_a_contract_names_is_a_column() -> None:
    known = set(docs._duty_names())
    for service in docs.SERVICES:
        for ask in docs._asks(f"banyan.contracts.{service}"):
            assert set(ask.may) <= known, ask.__name__


def test_writing_again_changes_nothing_and_mends_what_was_altered(tmp_path: Path) -> None:
    assert docs.write(tmp_path) == list(PAGES)
    assert docs.write(tmp_path) == []
    (tmp_path / "refusals.md").write_text("altered", "utf-8")
    (tmp_path / "machines/no-more.mmd").write_text("", "utf-8")
    assert docs.write(tmp_path) == ["refusals.md", "machines/no-more.mmd"]
    assert not (tmp_path / "machines/no-more.mmd").exists()
