"""The numpy twin of the kernel: the same top k, from the table itself, wherever numba is absent or not compiled yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.ranking import grid
from services.matching.ranking.arrays import Ints, Rows
from services.matching.ranking.measures import WORKER_NAMES, block_facts
from services.matching.ranking.table import OF_WORKER, RULES, TERMS, Term


def judge(facts: Mapping[str, Any], size: int) -> Any:
    """Which pairs of a block pass every rule."""
    passed = np.ones(size, bool)
    for rule in RULES:
        passed &= rule.of(facts)
    return passed


def score(facts: Mapping[str, Any], size: int, terms: Sequence[Term] = TERMS) -> Ints:
    """Each pair's score, whether or not it passes."""
    points = np.zeros(size, np.int64)
    for term in terms:
        points += term.of(facts)
    return points


def own(rows: Rows, figures: Mapping[str, int]) -> Ints:
    """Each posting's own points under figures by name: what no request changes."""
    facts = dict(figures) | {name: rows[name].astype(np.int64) for name in WORKER_NAMES}
    points = np.zeros(len(rows), np.int64)
    for term in OF_WORKER:
        points += term.of(facts)
    return points


def window(runs: Ints, query: Any) -> Ints:
    """The places in the pool of all postings of the field that can be within reach."""
    x, y, reach = int(query["x_wanted"]), int(query["y_wanted"]), int(query["limit_m"])
    buckets: list[Ints] = []
    for row in range(grid.first_cell(y, reach), grid.last_cell(y, reach) + 1):
        wide = grid.reach_in_row(row, y, reach)
        if wide >= 0:
            columns = np.arange(grid.first_cell(x, wide), grid.last_cell(x, wide) + 1) & grid.MASK
            buckets.append((int(query["field_wanted"]) * grid.SIZE + (row & grid.MASK)) * grid.SIZE + columns)
    return places_of(runs[np.concatenate(buckets)])


def places_of(runs: NDArray[np.signedinteger[Any]]) -> Ints:
    """The places of runs (first, last + 1), one run after the other."""
    first, counts = runs[:, 0].astype(np.int64), np.diff(runs)[:, 0].astype(np.int64)
    ends = np.cumsum(counts)
    places: Ints = np.arange(int(ends[-1])) + np.repeat(first - (ends - counts), counts)
    return places


def top(pool: Rows, runs: Ints, named: Ints, line: Ints, queries: Any, traits: int, best: Ints) -> int:
    """Fills `best` with (points, key, slot), best first, ties by key; answers how many, as `fused` does. It looks at every posting, so
    `named` and `traits` are not for it."""
    query = queries[0]
    block = pool[window(runs, query)]
    facts = block_facts(block, query, line, block["mark"].astype(np.int64))
    good = np.flatnonzero(judge(facts, len(block)))
    points, block = score(facts, len(block))[good], block[good]
    k = len(best)
    if len(points) > k:
        kept = points >= np.partition(points, len(points) - k)[len(points) - k]
        points, block = points[kept], block[kept]
    chosen = np.lexsort((block["key"], -points))[:k]
    best[: len(chosen)] = np.stack([points[chosen], block["key"][chosen], block["worker"][chosen]], axis=1)
    return len(chosen)
