"""Pure computing that is long on purpose, such as a password's hash: what it answers is the function's affair, where it
runs is the process's. A green process runs it in a native thread, so that nobody else waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Runner = Callable[..., Any]


def _here(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return function(*arguments, **named)


_runner: Runner = _here


def run_costly_by(runner: Runner) -> None:
    """Says where costly functions of this process run: `runner(function, *arguments, **named)` answers their answer."""
    global _runner  # noqa: PLW0603 - one process has one way
    _runner = runner


def costly(function: Callable[P, R]) -> Callable[P, R]:
    """Marks a pure function that computes for a tenth of a second or more."""

    @wraps(function)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        answer: R = _runner(function, *arguments, **named)
        return answer

    return run
