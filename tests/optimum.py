"""Small problems for tests of the optimum, their feasible pairs, and a proof added up pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.identity.data import villages
from services.matching.optimum.problem import Band, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints
from services.matching.typhoon.day import day


def crowded(seed: int, *, requests: int = 120, workers: int = 2_000, bands: tuple[Band, ...] = ()) -> Problem:
    """A small day on which places are short: a worker has one free place at the most."""
    problem = day(villages(), requests, seed, size=workers).problem
    rows = problem.workers.rows
    rows["free"] = np.minimum(rows["free"], 1)
    return replace(problem, bands=bands)


def repeated(problem: Problem, numbers: Ints) -> Problem:
    """The problem with its requests as often as they are told; whom one names, the first of those that are like it names."""
    first = {int(number): at for at, number in reversed(list(enumerate(numbers.tolist())))}
    named = problem.named[np.isin(problem.named["request"], numbers)]
    named["request"] = [first[number] for number in named["request"].tolist()]
    return replace(
        problem,
        request_ids=[f"q{at:07d}" for at in range(len(numbers))],
        demand=problem.demand[numbers],
        lines=problem.lines[numbers],
        serving=problem.serving[numbers],
        named=named[np.lexsort((named["worker"], named["request"]))],
    )


def all_pairs(problem: Problem) -> Pairs:
    """Every feasible pair, by the numpy form."""
    prices, above = np.zeros(len(problem.workers), np.int64), np.zeros(len(problem), np.int64)
    return sweep(Sheet(problem), prices, above, len(problem.workers), plain=True)
