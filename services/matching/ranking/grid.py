"""The grid that postings lie in: square cells on a torus, so every position has a cell and no extent is declared.

Cells further apart than the torus is wide share a bucket; that costs a look, never an error, because every posting's
own distance is judged. These are plain functions of whole numbers; the kernel compiles the very same ones.
"""

from __future__ import annotations

import math

CELL_M = 16_000
SIZE = 64
"""Cells a side, a power of two: 1,024 km of distinct cells."""
MASK = SIZE - 1


def bucket(field: int, x: int, y: int) -> int:
    """The bucket of a field at a place."""
    return (field * SIZE + ((y // CELL_M) & MASK)) * SIZE + ((x // CELL_M) & MASK)


def first_cell(at: int, reach_m: int) -> int:
    """The first row (or column) of cells that something within reach can lie in."""
    return (at - reach_m) // CELL_M


def last_cell(at: int, reach_m: int) -> int:
    """The last such row or column, at most once around the torus."""
    return min((at + reach_m) // CELL_M, (at - reach_m) // CELL_M + SIZE - 1)


def reach_in_row(row: int, y: int, reach_m: int) -> int:
    """How far east or west within reach one can be in a row of cells; -1 if the row is out of reach.

    Once the window goes around the torus a row stands for several bands, so nothing is cut off.
    """
    if (y + reach_m) // CELL_M - (y - reach_m) // CELL_M >= SIZE:
        return reach_m
    nearest = max(0, row * CELL_M - y, y - (row * CELL_M + CELL_M - 1))
    left = (reach_m + 1) * (reach_m + 1) - 1 - nearest * nearest
    return -1 if left < 0 else int(math.sqrt(left)) + 1
