"""What import-linter cannot say before anybody imports it: libraries that only certain rooms of the house may know."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.tidy.tree import files, parsed, shown, under

# The library -> the only places that import it; everything else asks those places.
ROOMS = {
    "aio_pika": ("libs/banyan/runtime", "libs/banyan/testkit", "tests"),
    "amqp": ("libs/banyan/runtime", "libs/banyan/testkit", "tests"),
    "eventlet": ("libs/banyan/runtime/rpc", "tests"),
    "kombu": ("libs/banyan/runtime", "libs/banyan/testkit", "tests"),
    "nameko": ("libs/banyan/runtime/rpc", "tests"),
    "numba": ("services/matching", "tests"),
}


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and library of each import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def test_each_library_stays_in_its_rooms() -> None:
    strays = [
        f"{shown(path)}:{line}: {library}"
        for path in files(".py")
        for line, library in imported(parsed(path))
        if library in ROOMS and not under(path, *ROOMS[library])
    ]
    assert not strays
