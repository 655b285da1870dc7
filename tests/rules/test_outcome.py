"""Which record an event is credited to: the one it is about, not the first of its kind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from banyan.kernel.message import Event
from banyan.runtime.commands.write import Change, Outcome
from tests.sample.contracts import TreeWatered
from tests.sample.domain.tree import Tree

FIRST = Change(Tree(id="t-1", division="350203001000", state="growing", label="甲"), 4)
SECOND = Change(Tree(id="t-2", division="350203001000", state="growing", label="乙"), 8)


def credited(event: Event, main: Change | None, *others: Change) -> tuple[str, int, str]:
    outcome = Outcome()
    outcome.add(main, main.record.id if main else "t-0", others, [event])
    ((_, record, version, subject),) = outcome.events
    return record, version, subject


@pytest.mark.parametrize("changed", [(FIRST, SECOND), (SECOND, FIRST)])
def test_of_two_records_of_a_kind_the_one_that_is_named(changed: tuple[Change, Change]) -> None:
    assert credited(TreeWatered(tree_id="t-1", litres=1), *changed) == ("t-1", 5, "t-1")
    assert credited(TreeWatered(tree_id="t-2", litres=1), *changed) == ("t-2", 9, "t-2")


def test_without_a_change_the_record_that_was_decided_on() -> None:
    assert credited(TreeWatered(tree_id="t-0", litres=1), None) == ("t-0", 0, "t-0")


def test_an_event_that_names_no_record_is_of_the_first_of_its_kind() -> None:
    fields: dict[str, Any] = {"stream": "sample.tree", "__module__": __name__}
    wind = msgspec.defstruct("WindBlown", [], bases=(Event,), namespace=fields, frozen=True, kw_only=True)
    assert credited(wind(), SECOND, FIRST) == ("t-2", 9, "t-2")
