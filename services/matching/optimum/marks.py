"""The pairs that requests name (conflict, excluded, earlier), as they change: found by search, never by a walk."""

from __future__ import annotations

import numpy as np

from services.matching.optimum.problem import NAMED
from services.matching.ranking.arrays import Ints, Rows


class Marks:
    """NAMED rows ascending by (request, worker), each pair once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._keys = _key(rows["request"], rows["worker"])

    def of(self, request: Ints, worker: Ints) -> Ints:
        """Each pair's bits; 0 where it is not named."""
        if not len(self._keys):
            return np.zeros(len(request), np.int64)
        keys = _key(request, worker)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self.rows["mark"][at], 0).astype(np.int64)

    def of_request(self, request: int) -> Rows:
        """The rows of one request."""
        first, last = np.searchsorted(self._keys, [request << 32, (request + 1) << 32])
        return self.rows[first:last]

    def clear(self, request: int, mark: int) -> bool:
        """Takes bits off all pairs of a request; answers whether any had them."""
        marks = self.of_request(request)["mark"]
        had = bool((marks & mark).any())
        marks &= ~mark
        return had

    def put(self, request: int, worker: int, mark: int) -> None:
        """Adds bits to a pair."""
        key = request << 32 | worker
        at = int(np.searchsorted(self._keys, key))
        if at < len(self._keys) and self._keys[at] == key:
            self.rows["mark"][at] |= mark
            return
        self._keys = np.insert(self._keys, at, key)
        self.rows = np.concatenate([self.rows[:at], np.array([(request, worker, mark)], NAMED), self.rows[at:]])


def _key(request: Ints, worker: Ints) -> Ints:
    return np.asarray(request, np.int64) << 32 | np.asarray(worker, np.int64)
