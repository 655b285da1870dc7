"""Every refusal that the code can say stands in the catalogue, with a Chinese sentence and a remedy; no other does."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.tree import ROOT, files, parsed, shown, text, under

CATALOGUE = ROOT / "libs/banyan/kernel/refusals.toml"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def catalogue() -> dict[str, dict[str, str]]:
    """The catalogue as it is written; a code that stands there twice is an error of the file."""
    return tomllib.loads(text(CATALOGUE))


def code_files() -> list[Path]:
    """Product code, where refusals are raised."""
    return [path for path in files(".py") if under(path, "libs/banyan", "services")]


def raised(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and code of every `Refused("code", ...)`, also of one chosen by a condition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "Refused" and node.args:
            for code in _strings(node.args[0]):
                yield node.lineno, code


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)


def test_every_refusal_raised_stands_in_the_catalogue() -> None:
    known = catalogue()
    found = [(path, line, code) for path in code_files() for line, code in raised(parsed(path))]
    assert found
    unknown = [f"{shown(path)}:{line}: {code}" for path, line, code in found if code not in known]
    assert not unknown, f"append them to {shown(CATALOGUE)}"


def test_every_entry_of_the_catalogue_is_said_somewhere() -> None:
    words = {
        node.value
        for path in code_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not set(catalogue()) - words, "nobody says these refusals"


def test_every_entry_says_what_is_wrong_and_what_to_do_in_chinese() -> None:
    for code, entry in catalogue().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code), code
        assert set(entry) >= {"title", "remedy"}, code
        assert CHINESE.search(entry["title"]), code
        assert CHINESE.search(entry["remedy"]), code
