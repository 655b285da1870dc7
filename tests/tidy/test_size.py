"""One screen a function, one thought a file."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.tidy.tree import files, parsed, shown, text, under

FILE_LINES = 300
CONTRACTS, CONTRACTS_LINES = "libs/banyan/contracts", 800  # docs/why/0011-contracts-in-one-file.md
FUNCTION_LINES = 70
ALEMBIC_S_OWN = {"alembic", "migrations"}  # folders of scripts that alembic runs, imported by nobody


def limit_of(path: Path) -> int:
    """How many lines a file may have."""
    return CONTRACTS_LINES if under(path, CONTRACTS) else FILE_LINES


def test_no_file_is_longer_than_its_limit() -> None:
    long = {shown(path): lines for path in files(".py") if (lines := text(path).count("\n")) > limit_of(path)}
    assert not long, f"files of more than {FILE_LINES} lines: split them by thought"


def test_no_function_is_longer_than_its_limit() -> None:
    long = [
        f"{shown(path)}:{node.lineno} {node.name} {node.end_lineno - node.lineno + 1}"
        for path in files(".py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES
    ]
    assert not long, f"functions of more than {FUNCTION_LINES} lines"


def test_every_folder_of_code_is_a_package_with_a_first_sentence() -> None:
    folders = {path.parent for path in files(".py") if under(path, "libs/banyan", "services")}
    folders = {folder for folder in folders if not ALEMBIC_S_OWN & set(folder.parts)}
    assert folders
    lacking = sorted(shown(folder) for folder in folders if not _has_first_sentence(folder / "__init__.py"))
    assert not lacking, "each package has an __init__.py whose docstring says what it holds"


def _has_first_sentence(path: Path) -> bool:
    return path.exists() and bool(ast.get_docstring(ast.parse(path.read_text("utf-8"))))


def test_nothing_is_left_for_later() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "X" * 3 + ":")
    found = [f"{shown(p)}: {word}" for p in files(".py", ".toml", ".md", ".sh") for word in words if word in text(p)]
    assert not found
