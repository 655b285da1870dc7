"""requirements.in names what the code imports and the tools it is checked with, and nothing else; the lock holds it."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions

from tests.tidy.test_imports import imported
from tests.tidy.tree import ROOT, files, parsed, text

# Not imported by a line of ours, and why they are there all the same.
TOOLS = {
    "import-linter": "make imports",
    "mypy": "make types",
    "pytest-timeout": "the option in pyproject.toml",
    "pytest-xdist": "bin/test-all",
    "ruff": "make lint",
    "types-psutil": "make types",
    "tzdata": "zoneinfo, where the system has no zones",
}
OURS = {"banyan", "services", "tests"}


def plain(name: str) -> str:
    """A distribution's name as packagers compare it, without extras and version."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>! ]", name.strip())[0]).lower()


def required() -> list[str]:
    """The lines of requirements.in."""
    return [line for line in text(ROOT / "requirements.in").splitlines() if line and not line.startswith("#")]


def brought() -> set[str]:
    """What the lines bring: each distribution, and for psycopg[pool] psycopg-pool too."""
    extras = {f"{plain(line)}-{extra}" for line in required() for extra in re.findall(r"\w+", line.partition("[")[2])}
    return {plain(line) for line in required()} | extras


def libraries() -> dict[str, set[str]]:
    """Every library that a line of ours imports -> the distributions that it comes with."""
    names = {name for path in files(".py") for _, name in imported(parsed(path))}
    among = packages_distributions()
    # tests import their neighbours by name where pytest or a program puts their folder on the path
    neighbours = {path.stem for path in files(".py")}
    return {
        name: {plain(one) for one in among.get(name, [])}
        for name in names - set(sys.stdlib_module_names) - OURS - (neighbours - set(among))
    }


def test_everything_imported_is_required() -> None:
    found = libraries()
    assert len(found) > 20
    assert sorted(name for name, its in found.items() if not its & brought()) == []


def test_everything_required_is_imported_or_a_tool() -> None:
    used = set(TOOLS).union(*libraries().values())
    assert sorted({plain(line) for line in required()} - used) == []


def test_the_lines_are_sorted_and_every_one_is_locked() -> None:
    lines = required()
    assert lines == sorted(set(lines), key=plain)
    locked = {plain(line) for line in text(ROOT / "requirements.lock").splitlines() if line[:1].isalnum()}
    assert {plain(line) for line in lines} <= locked
