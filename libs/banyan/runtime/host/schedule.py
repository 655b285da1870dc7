"""Deadlines and reminders: a schedule finds what is due and gives commands; their keys make each effect happen once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Schedule:
    """A function `(db, context) -> iterable of (due key, command)` and how often it looks, in seconds of real time."""

    name: str
    service: str
    seconds: float
    due: Callable[..., Any]


SCHEDULES: list[Schedule] = []


def every(seconds: float) -> Callable[[F], F]:
    """Registers a schedule; what it finds is looked for again until it is done, so a missed turn loses nothing."""

    def register(due: F) -> F:
        SCHEDULES.append(Schedule(due.__name__, due.__module__.rsplit(".", 1)[0], seconds, due))
        return due

    return register
