"""Postings: each worker once in every field they serve, laid in buckets by (field, cell), changed in place.

A bucket is a run of the pool with room to grow; a full one moves to the pool's end with twice the room. Within a bucket
those with the most points of their own come first, so that whoever reads one may stop early.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.matching.ranking import grid
from services.matching.ranking.arrays import POSTING, Ints, Rows
from services.matching.ranking.vector import places_of

_FIRST_ROOM = 4
_POOL_LEAST = 1024


class Postings:
    """The pool and its buckets: `runs[bucket]` is a bucket's first place and the one after its last, `where[slot, field]` a posting's
    place, or -1. The points that each has of its own are worked out by who uses them, and given to `order`."""

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
        self.pool[place] = rows[slots]
        self.pool["proficiency"][place] = proficiency[slots, served]
        self.runs = np.stack([start, start + count], axis=1).astype(np.int32)
        self.room = room.astype(np.int32)
        self.where = np.full(proficiency.shape, -1, np.int32)
        self.where[slots, served] = place

    def __len__(self) -> int:
        return int(self.count.sum())

    @property
    def count(self) -> Ints:
        """How many postings each bucket has."""
        return self.runs[:, 1] - self.runs[:, 0]

    def order(self, own: Ints) -> None:
        """Gives every place of the pool its own points, and puts each bucket's postings with the most first."""
        self.pool["own"] = own
        places = places_of(self.runs)
        bucket = np.repeat(np.arange(len(self.runs)), self.count)
        self.pool[places] = self.pool[places[np.lexsort((-self.pool["own"][places], bucket))]]
        self.where[self.pool["worker"][places], bucket // (grid.SIZE * grid.SIZE)] = places

    def grow_slots(self, slots: int) -> None:
        """Makes place for more workers."""
        more = np.full((slots - len(self.where), *self.where.shape[1:]), -1, np.int32)
        self.where = np.concatenate([self.where, more])

    def put(self, slot: int, field: int, row: np.void, proficiency: int, own: int) -> None:
        """Adds a worker's posting in a field, behind those of its bucket that have as many points of their own."""
        bucket = grid.bucket(field, int(row["x"]), int(row["y"]))
        if self.runs[bucket, 1] - self.runs[bucket, 0] == self.room[bucket]:
            self._move(bucket)
        first, last = self.runs[bucket].tolist()
        place = first + int(np.count_nonzero(self.pool["own"][first:last] >= own))
        self._shift(place, last, 1, field)
        self.runs[bucket, 1] = last + 1
        self.where[slot, field] = place
        self.pool[place] = row
        self.pool["proficiency"][place] = proficiency
        self.pool["own"][place] = own

    def take(self, slot: int, field: int) -> None:
        """Takes a worker's posting in a field out."""
        place = int(self.where[slot, field])
        row = self.pool[place]
        bucket = grid.bucket(field, int(row["x"]), int(row["y"]))
        last = int(self.runs[bucket, 1])
        self._shift(place + 1, last, -1, field)
        self.runs[bucket, 1] = last - 1
        self.where[slot, field] = -1

    def _shift(self, first: int, last: int, by: int, field: int) -> None:
        """Moves the postings of some places of a bucket by one place."""
        if first < last:
            self.pool[first + by : last + by] = self.pool[first:last]
            self.where[self.pool["worker"][first + by : last + by], field] += by

    def _move(self, bucket: int) -> None:
        """Moves a full bucket to the pool's end, with twice the room."""
        first, last = self.runs[bucket].tolist()
        count, room = last - first, max(_FIRST_ROOM, 2 * (last - first))
        if self.used + room > len(self.pool):
            bigger = aligned(2 * len(self.pool) + room)
            bigger[: self.used] = self.pool[: self.used]
            self.pool = bigger
        moved = self.pool[self.used : self.used + count]
        moved[:] = self.pool[first:last]
        field = bucket // (grid.SIZE * grid.SIZE)
        self.where[moved["worker"], field] = np.arange(self.used, self.used + count, dtype=np.int32)
        self.runs[bucket], self.room[bucket] = (self.used, self.used + count), room
        self.used += room


def aligned(size: int) -> Rows:
    """Room for postings, each in one cache line of its own."""
    room = np.zeros((size + 1) * POSTING.itemsize, np.uint8)
    first = -room.ctypes.data % POSTING.itemsize
    return room[first : first + size * POSTING.itemsize].view(POSTING)
