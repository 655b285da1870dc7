"""What a service does when a notice has arrived, or could not be brought by any channel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
DELIVERED: dict[tuple[str, str], Callable[..., Any]] = {}
FAILED: dict[tuple[str, str], Callable[..., Any]] = {}


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice and what became of it; `receipt` is the channel's own number, empty where it failed."""

    id: int
    template: str
    recipient: str
    about: str
    facts: dict[str, str]
    channel: str
    receipt: str
    at: dt.datetime


def delivered(template: str) -> Callable[[F], F]:
    """Registers `(sent) -> iterable of commands` for a notice's receipt: the clock of an offer starts there."""
    return _register(DELIVERED, template)


def undeliverable(template: str) -> Callable[[F], F]:
    """Registers `(sent) -> iterable of commands` for a notice that no channel could bring."""
    return _register(FAILED, template)


def _register(table: dict[tuple[str, str], Callable[..., Any]], template: str) -> Callable[[F], F]:
    def register(function: F) -> F:
        table[function.__module__.rsplit(".", 1)[0], template] = function
        return function

    return register
