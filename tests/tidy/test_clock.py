"""One clock: rules and runtime ask the host's clock, so that the demo can move it and a test can name the hour."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.tidy.tree import files, parsed, shown, under

CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("now", "now"), ("now", "today"),
}  # fmt: skip
PLACES = ("libs/banyan/runtime/host/clock.py", "libs/banyan/testkit", "libs/banyan/cli", "tests", "docs")


def clock_calls(tree: ast.Module) -> list[int]:
    """The lines that ask the machine for the hour, `from time import time` included."""
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (_last_name(node.value), node.attr) in CALLS
    ]
    imported = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any((node.module, name.name) in CALLS for name in node.names)
    ]
    return lines + imported


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_the_search_finds_every_way_to_ask() -> None:
    ways = (
        "import datetime\ndatetime.datetime.now()", "from datetime import datetime\ndatetime.utcnow()",
        "import time\ntime.time()", "from time import time\ntime()", "clock = datetime.now", "date.today()",
        "context.now.now()",
    )  # fmt: skip
    assert [way for way in ways if not clock_calls(ast.parse(way))] == []
    assert clock_calls(ast.parse("import time\ntime.monotonic()\ncontext.now\nclock.now()")) == []


def test_only_the_clock_asks_the_machine_for_the_hour() -> None:
    code = [path for path in files(".py") if not under(path, *PLACES)]
    assert code
    found = [f"{shown(path)}:{line}" for path in code for line in clock_calls(parsed(path))]
    assert not found, f"ask the host's clock; the machine's hour is asked only in {PLACES}"


def test_the_declared_places_exist() -> None:
    missing = [place for place in PLACES if not Path(__file__).resolve().parents[2].joinpath(place).exists()]
    assert not missing
