"""Versions: every snapshot is kept, and how a stream is cut into batches changes nothing."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.insight.domain.versions import Facts, Layers, Succession, Version

DAY = date(2025, 1, 1)


class Seen(Facts, frozen=True, kw_only=True):
    """One number."""

    value: int


EVENTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=25
)  # key, day, value
CUTS = st.sets(st.integers(1, 24))


def folded(shape: Any, events: list[tuple[str, int, int]], cuts: set[int]) -> dict[Any, Version[date, Seen]]:
    """The table after the events in batches that end at the cuts, each batch loaded and written as the service does."""
    table: dict[Any, Version[date, Seen]] = {}
    batch: list[tuple[int, tuple[str, int, int]]] = []
    for position, event in enumerate(events, 1):
        batch.append((position, event))
        if position in cuts or position == len(events):
            current = [copy.copy(version) for version in table.values() if version.until_pos is None]
            for version in current:
                version.stored = True
            fold = shape(current)
            for at, (key, day, value) in batch:
                fold.take(key, at, DAY + timedelta(days=day), lambda before, value=value: Seen(value=value))
            for version in fold.versions:
                place = (version.key, version.from_pos, version.start)
                assert version.stored == (place in table)
                table[place] = copy.copy(version)
                table[place].stored = False
            batch = []
    return table


@given(EVENTS, CUTS)
def test_layers_answer_every_day_in_every_snapshot_as_the_events_say(events: Any, cuts: set[int]) -> None:
    table = folded(Layers, events, cuts).values()
    for position in range(len(events) + 1):
        for day in range(14):
            for key in "ab":
                fits = [e[2] for e in events[:position] if e[0] == key and e[1] <= day]
                on = DAY + timedelta(days=day)
                found = [
                    v.facts.value
                    for v in table
                    if v.key == key
                    and v.from_pos <= position
                    and (v.until_pos is None or v.until_pos > position)
                    and v.start <= on
                    and (v.stop is None or v.stop > on)
                ]
                assert found == fits[-1:]


def successive(events: list[tuple[str, int, int]], key: str, day: int) -> list[int]:
    """The values that began before a day; one that only repeats the last begins nothing, and none begins before it."""
    latest, last, fits = 0, None, []
    for k, at, value in events:
        if k == key and value != last:
            latest, last = max(latest, at), value
            fits += [value] if latest < day else []
    return fits


@given(EVENTS, CUTS)
def test_successions_answer_every_instant_in_every_snapshot(events: Any, cuts: set[int]) -> None:
    table = folded(Succession, events, cuts).values()
    for position in range(len(events) + 1):
        for day in range(14):
            for key in "ab":
                fits = successive(events[:position], key, day)
                before = DAY + timedelta(days=day)
                found = [
                    v.facts.value
                    for v in table
                    if v.key == key
                    and v.from_pos <= position
                    and v.start < before
                    and (v.until_pos is None or v.until_pos > position or v.stop is None or v.stop >= before)
                ]
                assert found == fits[-1:]


@given(EVENTS, CUTS, CUTS)
def test_any_batching_gives_the_same_table(events: Any, some: set[int], others: set[int]) -> None:
    for shape in (Layers, Succession):
        assert folded(shape, events, some) == folded(shape, events, others)


def test_facts_that_did_not_change_make_no_version() -> None:
    assert len(folded(Layers, [("a", 1, 7), ("a", 2, 7), ("a", 3, 7)], set())) == 1


def test_a_correction_from_an_earlier_day_covers_what_came_after_it() -> None:
    table = folded(Layers, [("a", 1, 1), ("a", 5, 2), ("a", 3, 3)], {1, 2})
    known = [version for version in table.values() if not version.until_pos]
    now = sorted((v.start.day, v.stop.day if v.stop else None, v.facts.value) for v in known)
    assert now == [(2, 4, 1), (4, None, 3)]
