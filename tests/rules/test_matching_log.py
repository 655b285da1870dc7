"""Cases of the numbered log: numbers that come late, and numbers that never come."""

from __future__ import annotations

import random

from services.matching.index_state import LOST_AFTER_S, Missing


def test_a_number_committed_late_is_not_missed() -> None:
    missing = Missing(0)
    assert missing.news([(1, "a"), (3, "c")], 0.0) == ["a", "c"]
    assert missing.as_of == 1
    assert missing.news([(2, "b"), (3, "c")], 1.0) == ["b"]
    assert missing.as_of == 3


def test_a_number_that_was_rolled_back_is_given_up_after_a_while() -> None:
    missing = Missing(0)
    missing.news([(1, "a"), (3, "c")], 0.0)
    missing.news([(3, "c")], LOST_AFTER_S)
    assert missing.as_of == 1
    missing.news([(3, "c")], LOST_AFTER_S + 1)
    assert missing.as_of == 3


def test_in_whatever_order_numbers_become_visible_each_is_told_once() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)
    missing, visible, told = Missing(0), set(), []
    hidden = list(range(1, 201))
    while hidden:
        for _ in range(dice.randrange(1, 6)):
            if hidden:
                visible.add(hidden.pop(dice.randrange(min(8, len(hidden)))))
        told += missing.news(sorted((n, f"w{n}") for n in visible if n > missing.as_of), 0.0)
    assert sorted(told) == sorted(f"w{n}" for n in range(1, 201))
    assert missing.as_of == 200
