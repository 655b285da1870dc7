"""Hiding small cells of a published table, so that no hidden number can be found by subtraction from its total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def hide(cells: Mapping[str, int], threshold: int) -> dict[str, int | None]:
    """One column of parts that add up to a published total: parts of 1 to threshold - 1 become None.

    Hidden parts must together be at least the threshold and at least two, else the next smallest part is hidden too:
    the total less what is shown would give them away. Zero is no person and stays, unless it is needed as a cover."""
    hidden = {name for name, count in cells.items() if 0 < count < threshold}
    others = (name for name in cells if name not in hidden)
    rest = sorted(others, key=lambda name: (cells[name] == 0, cells[name], name))
    while hidden and rest and (len(hidden) < 2 or sum(cells[name] for name in hidden) < threshold):
        hidden.add(rest.pop(0))
    return {name: None if name in hidden else count for name, count in cells.items()}


def total_shown(cells: Sequence[int], threshold: int) -> int | None:
    """The total of a column, itself hidden where it is a small cell."""
    total = sum(cells)
    return None if 0 < total < threshold else total
