"""Live repair of generated typhoon days: milliseconds a change, seconds a restated proof; parts of `make bench-matching`.

After all changes the plan must equal a fresh min-cost flow on the pairs kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from services.identity.data import villages
from services.matching.optimum import flow
from services.matching.optimum.live import Live
from services.matching.optimum.plan import Change
from services.matching.optimum.solution import OPTIMAL
from services.matching.optimum.solve import solve
from services.matching.optimum.stand import Arrival, Joiner
from services.matching.ranking.arrays import Workers
from services.matching.typhoon.day import Day, calls, day, land

MANY = {"arrival": 1_000, "cancel": 1_000, "decline": 1_000, "withdraw": 300, "join": 100, "resize": 100}
NAMES = {"repair": "arrival", "withdraw": "withdraw", "join": "join", "resize": "resize"}
"""name of a figure → the kind of change that it tells of."""


def timed(work: Iterable[Callable[[], Change]]) -> list[float]:
    """Milliseconds of each change."""
    taken = []
    for change in work:
        begun = time.perf_counter()
        change()
        taken.append(1_000 * (time.perf_counter() - begun))
    return taken


def arrivals(of: Day, seed: int, many: int) -> list[Arrival]:
    """Calls for help that come after the batch, upon the same workers."""
    at = land(villages(), seed)
    later = calls(at, of.problem.workers, of.worker_county, many, seed + 1_000, surge=True).problem
    named: dict[int, dict[int, int]] = {}
    for request, worker, mark in later.named.tolist():
        named.setdefault(request, {})[worker] = mark
    return [
        Arrival(f"later {r}", later.demand[r], later.lines[r], int(later.serving[r]), named.get(r, {}))
        for r in range(many)
    ]


def history(live: Live, of: Day, seed: int, many: dict[str, int]) -> dict[str, Any]:
    """All changes, kind by kind, and the proof restated after each kind."""
    random = np.random.default_rng(seed)
    workers, capacity = of.problem.workers, of.problem.workers.rows["capacity"]

    def planned(size: int) -> list[tuple[int, int]]:
        mate = live.net.mate[: live.stand.requests]
        chosen = random.permutation(np.flatnonzero(mate >= 0))[:size].tolist()
        return [(r, int(mate[r])) for r in chosen]

    busy = random.permutation(np.unique(live.net.mate[live.net.mate >= 0])).tolist()
    leaving, growing = busy[: many["withdraw"]], busy[-many["resize"] :]
    kinds: dict[str, Callable[[], Iterable[Callable[[], Change]]]] = {
        "arrival": lambda: [lambda a=each: live.arrive(a) for each in arrivals(of, seed, many["arrival"])],
        "cancel": lambda: [lambda r=r: live.cancel(r) for r, _ in planned(many["cancel"])],
        "decline": lambda: [lambda p=p: live.decline(*p) for p in planned(many["decline"])],
        "withdraw": lambda: [lambda w=w: live.withdraw(w) for w in leaving],
        "join": lambda: [
            lambda w=w: live.join(Joiner(workers.ids[w], workers.rows[w], workers.proficiency[w]))
            for w in leaving[: many["join"]]
        ],
        "resize": lambda: [
            lambda w=w, at=at: live.resize(w, int(capacity[w]) + 1 - at % 2) for at, w in enumerate(growing)
        ],
    }
    figures: dict[str, Any] = {}
    for kind, work in kinds.items():
        taken = timed(work())
        begun = time.perf_counter()
        live.restate()
        figures[kind] = {
            "p50_ms": float(np.percentile(taken, 50)), "p99_ms": float(np.percentile(taken, 99)), "max_ms": max(taken),
            "restate_s": time.perf_counter() - begun,
        }  # fmt: skip
    return figures


def prove(live: Live) -> None:
    """Fails unless the plan is worth what a fresh min-cost flow finds on the pairs kept."""
    stand, pairs = live.stand, live.kept_pairs()
    rows = stand.rows[: stand.workers].copy()
    rows["free"] = live.net.places[: stand.workers]
    fresh = replace(stand.problem(), workers=Workers(stand.worker_ids, rows, stand.proficiency[: stand.workers]))
    by = flow.assign(fresh, pairs)
    found = int(pairs.value[by[by >= 0]].sum())
    if live.status != OPTIMAL or found != live.objective:
        raise AssertionError(f"{live.status}: worth {live.objective}, a fresh flow finds {found}")


def measure(requests: int, seed: int, many: dict[str, int]) -> dict[str, Any]:
    """One day: its batch, then its history."""
    of = day(villages(), requests, seed)
    found = solve(of.problem)
    begun = time.perf_counter()
    live = Live(of.problem, found)
    figures = {"seed": seed, "start_s": time.perf_counter() - begun, "kept_pairs": len(live.kept_pairs())}
    figures |= history(live, of, seed, many)
    begun = time.perf_counter()
    live.arrive(arrivals(of, seed + 1, 1)[0])
    live.restate()
    figures["one_arrival_proved_s"] = time.perf_counter() - begun
    prove(live)
    return figures


def repaired(requests: int, name: str, seeds: Iterable[int]) -> dict[str, Any]:
    """The figures of one size: medians over its days, and each day's beside them."""
    measure(300, 1, dict.fromkeys(MANY, 5))
    days = []
    for seed in seeds:
        days.append(measure(requests, seed, MANY))
        print("  " + json.dumps(days[-1]), flush=True)

    def middle(figure: Callable[[dict[str, Any]], float]) -> float:
        return float(np.median([figure(each) for each in days]))

    return {
        **{f"{said}_{name}_p99_ms": middle(lambda each, of=kind: each[of]["p99_ms"]) for said, kind in NAMES.items()},
        f"restate_{name}_s": middle(lambda each: max(each[kind]["restate_s"] for kind in MANY)),
        f"one_arrival_proved_{name}_s": middle(lambda each: each["one_arrival_proved_s"]),
        f"repair_{name}_runs": days,
    }
