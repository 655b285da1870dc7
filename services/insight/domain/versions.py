"""Versions: what was so, from when to when, and what was known of it, from which position of its stream.

`from_pos` and `until_pos` are stream positions, so that every snapshot can be asked for again by its position and
gives the same answer for ever, but for the places of cases that became protected. `start` and `stop` are when it was so
in the world; `stop` is excluded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", date, datetime)
F = TypeVar("F", bound="Facts")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one thing for one stretch of time: ids, codes, dates, integers."""


@dataclass(slots=True)
class Version(Generic[T, F]):
    """One stretch. `stored` versions came from the table and may only be ended; the others are new."""

    key: str
    from_pos: int
    start: T
    facts: F
    until_pos: int | None = None
    stop: T | None = None
    stored: bool = False


class Succession(Generic[T, F]):
    """Versions that follow one another: each event ends the last one and begins the next, never before it."""

    def __init__(self, current: Iterable[Version[T, F]]) -> None:
        self.versions: list[Version[T, F]] = list(current)
        self._last: dict[str, Version[T, F]] = {version.key: version for version in self.versions}

    def take(self, key: str, position: int, start: T, after: Callable[[F | None], F | None]) -> None:
        """Takes one event in. `after` gives the facts after it; None or unchanged facts leave all as it is."""
        last = self._last.get(key)
        facts = after(last.facts if last else None)
        if facts is None or (last is not None and facts == last.facts):
            return
        if last is not None:
            start = max(start, last.start)
            last.until_pos, last.stop = position, start
        self._last[key] = version = Version(key, position, start, facts)
        self.versions.append(version)


class Layers(Generic[T, F]):
    """Versions that an event may lay over the past: from its day on, all that was known before holds no more."""

    def __init__(self, current: Iterable[Version[T, F]]) -> None:
        self.versions: list[Version[T, F]] = list(current)
        self._known: dict[str, list[Version[T, F]]] = {}
        self._last: dict[str, F] = {}
        for version in sorted(self.versions, key=lambda each: each.start):
            self._known.setdefault(version.key, []).append(version)
            self._last[version.key] = version.facts

    def take(self, key: str, position: int, start: T, after: Callable[[F | None], F | None]) -> None:
        """Takes one event in that holds from `start` on; `after` is given the facts that hold last."""
        known = self._known.setdefault(key, [])
        facts = after(self._last.get(key))
        if facts is None or (known and facts == known[-1].facts and not start < known[-1].start):
            return
        kept: list[Version[T, F]] = []
        for version in known:
            if version.stop is not None and not start < version.stop:
                kept.append(version)
                continue
            version.until_pos = position
            if version.start < start:
                cut = Version(key, position, version.start, version.facts, stop=start)
                kept.append(cut)
                self.versions.append(cut)
        newest = Version(key, position, start, facts)
        self.versions.append(newest)
        kept.append(newest)
        self._known[key], self._last[key] = kept, facts
