"""The order of worker ids as numbers: a smaller number, an earlier id, so that ties need no text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from services.matching.ranking.arrays import Ints

GAP = 1 << 40
"""Room between neighbours: 40 ids can go into one gap before all are numbered anew."""


class IdOrder:
    """`keys[slot]` orders the workers by id (by code point, as SQL's COLLATE "C"). Keys of empty slots mean nothing."""

    def __init__(self, ids: Sequence[str], gap: int = GAP) -> None:
        self._gap = gap
        self._slot_of = {id: slot for slot, id in enumerate(ids)}
        self._sorted = sorted(ids)
        self.keys: Ints = np.zeros(len(ids), np.int64)
        self._number_anew()

    def grow_slots(self, slots: int) -> None:
        """Makes place for more workers."""
        self.keys = np.concatenate([self.keys, np.zeros(slots - len(self.keys), np.int64)])

    def add(self, id: str, slot: int) -> bool:
        """Gives a new id its key, between its neighbours'; True if no room was left there, and all have new keys."""
        at = bisect_left(self._sorted, id)
        before = self._key(at - 1) if at else 0
        after = self._key(at) if at < len(self._sorted) else before + 2 * self._gap
        self._sorted.insert(at, id)
        self._slot_of[id] = slot
        self.keys[slot] = (before + after) // 2
        anew = not before < self.keys[slot] < after or after >= np.iinfo(np.int64).max - 2 * self._gap
        if anew:
            self._number_anew()
        return bool(anew)

    def remove(self, id: str) -> None:
        """Forgets an id; the other keys stay."""
        del self._sorted[bisect_left(self._sorted, id)]
        del self._slot_of[id]

    def _key(self, at: int) -> int:
        return int(self.keys[self._slot_of[self._sorted[at]]])

    def _number_anew(self) -> None:
        slots = np.fromiter((self._slot_of[id] for id in self._sorted), np.int64, len(self._sorted))
        self.keys[slots] = (np.arange(len(slots), dtype=np.int64) + 1) * self._gap
