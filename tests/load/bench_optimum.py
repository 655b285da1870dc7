"""The optimum of generated typhoon days: seconds from arrays to proof, and memory. Run: python -m tests.load.bench_optimum

Arguments: numbers of requests (default 5000 20000). 100000 takes over a minute. Compiling stands outside the times.
"""

from __future__ import annotations

import resource
import sys
import time

from services.identity.data import villages
from services.matching.optimum.solve import solve
from services.matching.typhoon.day import day

SEED = 7
KB_A_GB = 1_000_000


def main() -> None:
    """Solves each day once and prints what came of it."""
    solve(day(villages(), 300, SEED).problem)
    for requests in [int(each) for each in sys.argv[1:]] or [5_000, 20_000]:
        problem = day(villages(), requests, SEED).problem
        begun_s = time.perf_counter()
        found = solve(problem)
        seconds = time.perf_counter() - begun_s
        memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_A_GB
        print(
            f"{requests} × {len(problem.workers)}: {seconds:.2f} s, {memory_gb:.2f} GB, {found.status}, served"
            f" {found.served}, objective {found.objective}, bound {found.bound}, {found.rounds} rounds, {found.pairs} pairs"
        )


if __name__ == "__main__":
    main()
