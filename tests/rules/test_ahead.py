"""What is made ahead: everything, in order, one in advance, failures where they happened."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from banyan.runtime.commands.ahead import ahead


@pytest.mark.parametrize("many", [0, 1, 2, 5])
def test_everything_comes_in_order(many: int) -> None:
    assert list(ahead(iter(range(1, many + 1)))) == list(range(1, many + 1))


def test_the_next_is_made_while_one_is_in_use() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        yield 3
        made.set()
        yield 4

    coming = ahead(items())
    assert [next(coming), next(coming)] == [1, 2]
    assert not made.is_set()
    assert next(coming) == 3
    assert made.wait(10), "nobody has asked for the fourth"
    assert list(coming) == [4]


def test_a_failure_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise InterruptedError

    coming = ahead(items())
    assert [next(coming), next(coming), next(coming)] == [1, 2, 3]
    with pytest.raises(InterruptedError):
        next(coming)
