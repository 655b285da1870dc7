"""A generated fortnight, optimum against first come: days waited by urgency, who was overtaken, and what any order must leave
open. Run: python -m tests.load.fortnight [seeds ...]"""

from __future__ import annotations

import sys

from services.identity.data import divisions, villages
from services.matching.optimum.solve import solve
from services.matching.typhoon.fortnight import as_it_comes, draw, play
from services.matching.typhoon.waits import waits

WORKERS, SURGE_CALLS, CALLS_A_DAY = 7_000, 6_000, 1_200


def main() -> None:
    """Prints for each seed one row a way of choosing and urgency, the evenings, the last day, and the scarcest kinds."""
    names = {d.code: d.name for d in divisions() if d.level == "county" and d.until_on is None}
    for seed in [int(each) for each in sys.argv[1:]] or [7, 8, 9]:
        of = draw(villages(), seed, size=WORKERS, surge_calls=SURGE_CALLS, calls_a_day=CALLS_A_DAY)
        ways = {"first come": as_it_comes, "optimum": lambda problem, waited: solve(problem).assigned}
        told = waits(of, {way: play(of, choose) for way, choose in ways.items()}, names)
        print(f"seed {seed}: {told['calls']} calls, {told['never']} that no worker could ever take")
        for step, row in enumerate(told["urgency"]):
            print(f"  urgency {step}: {row['calls']} calls, longest at least {row['longest_wait_least']}")
            for way, figures in row["ways"].items():
                print(f"    {way}: {figures}")
        for row in told["evenings"]:
            print(f"  evening of day {row['day']}: open {row['open']}, any order at least {row['open_least']}")
        print(f"  last served on day {told['last_day']}, any order {told['last_day_least']} at the earliest")
        print(f"  longest wait under any order at least {told['longest_wait_least']} days", flush=True)
        for row in told["scarce"]:
            print(f"  {row}")


if __name__ == "__main__":
    main()
