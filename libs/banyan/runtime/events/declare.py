"""How a service says what it does with events: reactions give commands, projections fold streams into tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from banyan.kernel.message import Event

F = TypeVar("F", bound=Callable[..., Any])
REACTIONS: dict[tuple[str, type[Event]], Callable[..., Any]] = {}
PROJECTIONS: dict[tuple[str, str], Callable[..., Any]] = {}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where and when an event stands; `known_at` grows along a stream, from `effective_on` on it holds."""

    id: str
    stream: str
    position: int
    type: str
    aggregate_id: str
    aggregate_version: int
    effective_on: dt.date
    recorded_at: dt.datetime
    known_at: dt.datetime
    traceparent: str | None = None


def reacts(event: type[Event]) -> Callable[[F], F]:
    """Registers `(event, envelope) -> iterable of commands`; each runs once in effect, as system:<service>."""

    def register(reaction: F) -> F:
        place = (_service(reaction), event)
        if place in REACTIONS:
            raise ValueError(f"{event.__name__} is reacted to twice in {place[0]}")
        REACTIONS[place] = reaction
        return reaction

    return register


def projects(*streams: str) -> Callable[[F], F]:
    """Registers `(batch of (envelope, event), db) -> None`: folds a stream in order, in the cursor's transaction."""

    def register(projection: F) -> F:
        for stream in streams:
            place = (_service(projection), stream)
            if place in PROJECTIONS:
                raise ValueError(f"{stream} is projected twice in {place[0]}")
            PROJECTIONS[place] = projection
        return projection

    return register


def _service(function: Callable[..., Any]) -> str:
    return function.__module__.rsplit(".", 1)[0]
