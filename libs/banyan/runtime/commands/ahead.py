"""While one thing is in use the next is made: the database works on one statement, this process on the next."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made by another thread while the one before is in use; one or none needs no thread."""
    first, second = next(items, None), next(items, None)
    if second is None:
        yield from () if first is None else (first,)
        return
    yield first  # type: ignore[misc]
    items = chain([second], items)
    with ThreadPoolExecutor(1, "banyan ahead") as other:
        coming = other.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = other.submit(next, items, None)
            yield item
