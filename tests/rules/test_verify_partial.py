"""An item that shows some of its fields proves these: whatever is changed in it, both verifiers name its position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import ROWS, items, text_of
from tests.rules.test_verify import PARTS, changed, first_bad

PART_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a field shown": lambda item: item["data"].update(level="高级"),
    "a field put in": lambda item: item["data"].update(more=1),
    "a field taken out": lambda item: item["data"].pop("level"),
    "an attribute": lambda item: item.update(subject="p-9"),
    "a leaf": lambda item: item.update(leaves=item["leaves"][:-1] + "?"),
    "a leaf gone": lambda item: item.update(leaves=item["leaves"].split(" ", 1)[1]),
    "leaves gone": lambda item: item.pop("leaves"),
    "a field's salt": lambda item: item.update(salts=item["salts"].replace("level:", "level:A")),
    "salts changed about": lambda item: item.update(salts="level:{1} person_id:{0}".format(*salts_of(item))),
    "the envelope's salt": lambda item: item.update(salt=salts_of(item)[0]),
    "personal put in": lambda item: item.update(personal="c2VhbGVk"),
    "personal into data": lambda item: item["data"].update(personal="c2VhbGVk"),
}


def salts_of(item: dict[str, Any]) -> list[str]:
    return [pair.partition(":")[2] for pair in item["salts"].split(" ")]


@pytest.mark.parametrize("name", PART_CHANGES)
def test_an_item_shown_in_part_that_was_changed_is_named(tmp_path: Path, name: str) -> None:
    travelled = items(ROWS, shown=PARTS)
    assert first_bad(tmp_path, text_of(travelled)) is None
    travelled[2] = changed(travelled[2], PART_CHANGES[name])
    assert first_bad(tmp_path, text_of(travelled)) == 3
