"""A generated fortnight, optimum against first come: days waited by urgency. Run: python -m tests.load.fortnight [seeds ...]"""

from __future__ import annotations

import sys

import numpy as np

from services.identity.data import villages
from services.matching.optimum.solve import solve
from services.matching.typhoon.fortnight import as_it_comes, draw, play

WORKERS, SURGE_CALLS, CALLS_A_DAY = 7_000, 6_000, 1_200


def main() -> None:
    """Prints one row a way of choosing and urgency; whoever is open at the end has waited until then."""
    for seed in [int(each) for each in sys.argv[1:]] or [7, 8, 9]:
        of = draw(villages(), seed, size=WORKERS, surge_calls=SURGE_CALLS, calls_a_day=CALLS_A_DAY)
        able = of.servable > 0
        print(f"seed {seed}: {len(able)} calls, {int((~able).sum())} that no worker could ever take")
        ways = (("optimum", lambda problem, waited: solve(problem).assigned), ("first come", as_it_comes))
        for name, choose in ways:
            found = play(of, choose)
            for urgency in range(4):
                mine = able & (of.urgency == urgency)
                waited, still = found.waited_days[mine], int((found.served_on[mine] < 0).sum())
                print(
                    f"  {name}, urgency {urgency}: {len(waited)} calls, mean {waited.mean():.2f}, p99"
                    f" {np.percentile(waited, 99):.0f}, longest {waited.max()} days, still open {still}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
