"""Looking through all pairs: for each request its best pairs at given prices. numba where installed, else numpy.

Both forms read the table's own formulas and give the same pairs in the same order: best first, ties by worker id.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from services.matching.optimum.sheet import Layer, Sheet
from services.matching.ranking import kernel, vector
from services.matching.ranking.arrays import Ints
from services.matching.ranking.measures import block_facts
from services.matching.ranking.table import RUN_TERMS

CHUNKS, CHUNK_LEAST = 16, 500
"""The cores share the requests in so many chunks at the most, none of fewer."""


class Pairs(NamedTuple):
    """Pairs sorted by (request, place in its list): `value` is what serving is worth plus the score, before prices."""

    request: Ints
    worker: Ints
    value: Ints

    def __len__(self) -> int:  # type: ignore[override]
        return len(self.request)


@cache
def compiled() -> Callable[..., Any] | None:
    """The compiled sweep, loaded from the user's cache or compiled (seconds); None where numba is not installed."""
    if not kernel.numba_installed():
        return None
    from services.matching.optimum import sweep_fused

    return sweep_fused.build(kernel.stamp())


def sweep(sheet: Sheet, prices: Ints, above: Ints, k: int, *, among: Any = None, plain: bool = False) -> Pairs:
    """For each request, or each that `among` is true of, up to k best pairs whose value less the worker's price is more
    than `above[request]`.

    Exact over all feasible pairs. `plain` takes the numpy form even where numba is installed.
    """
    fused = None if plain else compiled()
    form = partial(_fused, fused) if fused else _plain
    layers = (
        sheet.layers
        if among is None
        else [Layer(each.requests[among[each.requests]], each.own) for each in sheet.layers]
    )
    parts = [form(sheet, layer, prices, above, k) for layer in layers if len(layer.requests)]
    if not parts:
        none = np.zeros(0, np.int64)
        return Pairs(none, none, none)
    request, worker, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(request, kind="stable")
    return Pairs(request[order], worker[order], value[order])


def _fused(
    compiled_sweep: Any, sheet: Sheet, layer: Layer, prices: Ints, above: Ints, k: int
) -> tuple[Ints, Ints, Ints]:
    """The layer's requests in chunks, which the cores take in turn: the kernel does not hold the interpreter's lock."""
    problem, ordered = sheet.problem, sheet.ordered(layer.own - prices[sheet.worker])

    def look(asked: Ints) -> tuple[Ints, Ints, Ints]:
        return compiled_sweep(  # type: ignore[no-any-return]
            sheet.pool, sheet.runs, sheet.worker, sheet.where, sheet.keys, *ordered, prices, asked,
            problem.demand, problem.lines, problem.serving, above, problem.named, sheet.named_start, k,
        )  # fmt: skip

    chunks = np.array_split(layer.requests, max(1, min(CHUNKS, len(layer.requests) // CHUNK_LEAST)))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as cores:
        found = list(cores.map(look, chunks)) if len(chunks) > 1 else [look(layer.requests)]
    counts, worker, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return np.repeat(layer.requests, counts), worker.astype(np.int64), value


def _plain(sheet: Sheet, layer: Layer, prices: Ints, above: Ints, k: int) -> tuple[Ints, Ints, Ints]:
    problem = sheet.problem
    marks = np.zeros(len(problem.workers), np.int64)
    found: list[tuple[Ints, Ints, Ints]] = []
    for r in layer.requests.tolist():
        named = problem.named[sheet.named_start[r] : sheet.named_start[r + 1]]
        marks[named["worker"]] = named["mark"]
        block = sheet.pool[vector.window(sheet.runs, problem.demand[r])]
        facts = block_facts(block, problem.demand[r], problem.lines[r], marks[block["worker"]])
        good = np.flatnonzero(vector.judge(facts, len(block)))
        worker = block["worker"][good].astype(np.int64)
        value = problem.serving[r] + vector.score(facts, len(block), RUN_TERMS)[good]
        net = value - prices[worker]
        kept = np.lexsort((sheet.keys[worker], -net))[:k]
        kept = kept[net[kept] > above[r]]
        found.append((np.full(len(kept), r), worker[kept], value[kept]))
        marks[named["worker"]] = 0
    request, worker, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return request, worker, value
