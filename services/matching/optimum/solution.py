"""What solving a problem gives, and what no assignment can exceed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.matching.optimum.problem import Problem
from services.matching.ranking.arrays import Ints

OPTIMAL, BOUNDED = "optimal_all_pairs", "bounded"
Told = Callable[[str, int, int], None]
"""Hears (step, requests with better pairs, pairs kept)."""


@dataclass(frozen=True)
class Solution:
    """`assigned[r]`: the worker's place in the problem, or -1. `bound`: what no assignment can exceed; it equals the
    objective where the status is optimal_all_pairs. Prices and surpluses are what the proof adds up."""

    assigned: Ints
    prices: Ints
    surplus: Ints
    objective: int
    bound: int
    status: str
    rounds: int
    pairs: int

    @property
    def served(self) -> int:
        """How many requests have a worker."""
        return int((self.assigned >= 0).sum())


def bound(problem: Problem, prices: Ints, surplus: Ints) -> int:
    """All surpluses, and for each free place what its worker's price is above its cost: no assignment is worth more."""
    start, cost = problem.places
    places = np.repeat(prices, np.diff(start)) - cost
    return int(surplus.sum() + np.maximum(places, 0).sum())
