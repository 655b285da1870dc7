"""Postings: each worker once in every field they serve, laid in buckets by (field, cell), changed in place.

A bucket is a run of the pool with room to grow; a full one moves to the pool's end with twice the room. Taking a
posting out moves the bucket's last one into the gap, so order inside a bucket means nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.matching.ranking import grid
from services.matching.ranking.arrays import POSTING, Rows

_FIRST_ROOM = 4
_POOL_LEAST = 1024


class Postings:
    """The pool and its buckets. `where[slot, field]` is a posting's place in the pool, or -1; `own` are the points of each place that
    no request changes, kept here and worked out by who uses them."""

    def __init__(self, rows: Rows, proficiency: NDArray[np.int8]) -> None:
        fields = proficiency.shape[1]
        buckets = fields * grid.SIZE * grid.SIZE
        slots, served = np.nonzero(proficiency)
        x, y = rows["x"][slots].astype(np.int64), rows["y"][slots].astype(np.int64)
        column, row = (x // grid.CELL_M) & grid.MASK, (y // grid.CELL_M) & grid.MASK
        bucket = (served * grid.SIZE + row) * grid.SIZE + column
        count = np.bincount(bucket, minlength=buckets)
        room = count + (count >> 2) + (count > 0)
        start = np.cumsum(room) - room
        order = np.argsort(bucket, kind="stable")
        place = np.empty(len(bucket), np.int64)
        place[order] = np.arange(len(bucket)) + np.repeat(start - (np.cumsum(count) - count), count)
        self.used = int(room.sum())
        self.pool: Rows = aligned(max(_POOL_LEAST, 2 * self.used))
        self.own = np.zeros(len(self.pool), np.int32)
        self.pool[place] = rows[slots]
        self.pool["proficiency"][place] = proficiency[slots, served]
        self.start, self.count, self.room = (part.astype(np.int32) for part in (start, count, room))
        self.where = np.full(proficiency.shape, -1, np.int32)
        self.where[slots, served] = place

    def __len__(self) -> int:
        return int(self.count.sum())

    def grow_slots(self, slots: int) -> None:
        """Makes place for more workers."""
        more = np.full((slots - len(self.where), *self.where.shape[1:]), -1, np.int32)
        self.where = np.concatenate([self.where, more])

    def put(self, slot: int, field: int, row: np.void, proficiency: int, own: int) -> None:
        """Adds a worker's posting in a field."""
        bucket = grid.bucket(field, int(row["x"]), int(row["y"]))
        if self.count[bucket] == self.room[bucket]:
            self._move(bucket)
        place = int(self.start[bucket]) + int(self.count[bucket])
        self.count[bucket] += 1
        self.where[slot, field] = place
        self.write(place, row, proficiency, own)

    def write(self, place: int, row: np.void, proficiency: int, own: int) -> None:
        """Writes a posting over the one at a place."""
        self.pool[place] = row
        self.pool["proficiency"][place] = proficiency
        self.own[place] = own

    def take(self, slot: int, field: int) -> None:
        """Takes a worker's posting in a field out."""
        place = int(self.where[slot, field])
        row = self.pool[place]
        bucket = grid.bucket(field, int(row["x"]), int(row["y"]))
        self.count[bucket] -= 1
        last = int(self.start[bucket]) + int(self.count[bucket])
        if last != place:
            self.pool[place], self.own[place] = self.pool[last], self.own[last]
            self.where[int(self.pool["worker"][place]), field] = place
        self.where[slot, field] = -1

    def _move(self, bucket: int) -> None:
        """Moves a full bucket to the pool's end, with twice the room."""
        start, count = int(self.start[bucket]), int(self.count[bucket])
        room = max(_FIRST_ROOM, 2 * count)
        if self.used + room > len(self.pool):
            bigger = aligned(2 * len(self.pool) + room)
            bigger[: self.used] = self.pool[: self.used]
            self.pool, self.own = bigger, np.append(self.own, np.zeros(len(bigger) - len(self.own), np.int32))
        moved = self.pool[self.used : self.used + count]
        moved[:] = self.pool[start : start + count]
        self.own[self.used : self.used + count] = self.own[start : start + count]
        field = bucket // (grid.SIZE * grid.SIZE)
        self.where[moved["worker"], field] = np.arange(self.used, self.used + count, dtype=np.int32)
        self.start[bucket], self.room[bucket] = self.used, room
        self.used += room


def aligned(size: int) -> Rows:
    """Room for postings, each in one cache line of its own."""
    room = np.zeros((size + 1) * POSTING.itemsize, np.uint8)
    first = -room.ctypes.data % POSTING.itemsize
    return room[first : first + size * POSTING.itemsize].view(POSTING)
