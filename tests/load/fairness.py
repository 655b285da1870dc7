"""What load bands and a floor for the worst county cost and gain on a generated crowded day.

Run: python -m tests.load.fairness [seeds ...]
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from services.identity.data import villages
from services.matching.optimum.fair import outcome, with_floor
from services.matching.optimum.problem import Band
from services.matching.optimum.solve import solve
from services.matching.typhoon.day import day

REQUESTS, WORKERS, FLOOR_PERCENT = 4_000, 2_800, 65
BANDS = (Band(50, 300), Band(75, 900))


def main() -> None:
    """Prints the plain optimum and each option, all valued in the plain points."""
    for seed in [int(each) for each in sys.argv[1:]] or [7, 8, 9]:
        drawn = day(villages(), REQUESTS, seed, size=WORKERS)
        problem, county = drawn.problem, drawn.county
        print(f"seed {seed}: plain {outcome(problem, solve(problem).assigned, county)}")
        banded = solve(replace(problem, bands=BANDS))
        print(f"  bands {outcome(problem, banded.assigned, county)}")
        begun = time.perf_counter()
        floored = with_floor(problem, county, FLOOR_PERCENT)
        print(
            f"  floor {FLOOR_PERCENT} % {outcome(problem, floored.solution.assigned, county)}: bonus {floored.bonus},"
            f" cannot {floored.cannot}, {floored.solves} solves, {time.perf_counter() - begun:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
