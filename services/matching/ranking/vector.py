"""The numpy twin of the kernel: the same top k, from the table itself, wherever numba is absent or not compiled yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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


def window(start: Ints, count: Ints, query: Any) -> Ints:
    """The places in the pool of all postings of the field that can be within reach."""
    x, y, reach = int(query["x_wanted"]), int(query["y_wanted"]), int(query["limit_m"])
    buckets: list[Ints] = []
    for row in range(grid.first_cell(y, reach), grid.last_cell(y, reach) + 1):
        wide = grid.reach_in_row(row, y, reach)
        if wide >= 0:
            columns = np.arange(grid.first_cell(x, wide), grid.last_cell(x, wide) + 1) & grid.MASK
            buckets.append((int(query["field_wanted"]) * grid.SIZE + (row & grid.MASK)) * grid.SIZE + columns)
    bucket = np.concatenate(buckets)
    counts = count[bucket].astype(np.int64)
    ends = np.cumsum(counts)
    places: Ints = np.arange(int(ends[-1])) + np.repeat(start[bucket] - (ends - counts), counts)
    return places


def top(
    pool: Rows, start: Ints, count: Ints, own: Ints, where: Ints, keys: Ints, marks: Ints, named: Ints, line: Ints,
    queries: Any, scores: Ints, slots: Ints,
) -> int:  # fmt: skip
    """Fills `scores` and `slots` with the best pairs, best first, ties by key; answers how many, as `fused` does. It looks at
    every posting, so `own`, `where` and `named` are not for it."""
    query = queries[0]
    block = pool[window(start, count, query)]
    facts = block_facts(block, query, line, marks[block["worker"]].astype(np.int64))
    good = np.flatnonzero(judge(facts, len(block)))
    points, workers = score(facts, len(block))[good], block["worker"][good]
    k = len(scores)
    if len(points) > k:
        kept = points >= np.partition(points, len(points) - k)[len(points) - k]
        points, workers = points[kept], workers[kept]
    best = np.lexsort((keys[workers], -points))[:k]
    scores[: len(best)], slots[: len(best)] = points[best], workers[best]
    return len(best)
