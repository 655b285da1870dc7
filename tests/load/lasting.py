"""Two months on which every day more call in one city than all places can take: what it means that waiting counts for so many
days at the most. Run: python -m tests.load.lasting [seeds ...]"""

from __future__ import annotations

import sys

import numpy as np

from services.identity.data import villages
from services.matching.optimum.problem import SERVING, serving_of
from services.matching.optimum.solve import solve
from services.matching.ranking.arrays import Ints
from services.matching.typhoon.day import ON, policy, serving
from services.matching.typhoon.fortnight import Worth, as_it_comes, draw, play
from services.matching.typhoon.overtaking import STEPS, overtaken
from services.matching.typhoon.shortage import longest_wait_least

WORKERS, CALLS_A_DAY, DAYS, OTHERWISE_DAYS = 60, 30, 60, 365
LATE_POINTS = 60
"""What a day beyond the most could be worth, up to one step of urgency: tried here, no figure of ours."""


def counted(most: int) -> Worth:
    """What serving is worth if waiting counts for so many days at the most."""
    figures = np.array([most if name == "serving_wait_days_most" else policy().at(name, ON) for name in SERVING])
    return lambda urgency, waited_days: serving_of(urgency, waited_days, figures)


def late(urgency: Ints, waited_days: Ints) -> Ints:
    """What serving is worth if a day beyond the most counts for a little."""
    most, step = (policy().at(name, ON) for name in ("serving_wait_days_most", "serving_urgency_points"))
    return serving(urgency, waited_days) + np.clip(LATE_POINTS * (waited_days - most), 0, step)


def main() -> None:
    """Prints days waited by urgency (mean, p99, longest), how many were overtaken and how old the oldest of them was."""
    city, most = [code for code in villages() if code.startswith("3501")], policy().at("serving_wait_days_most", ON)
    worths = {f"{most} days": serving, f"{OTHERWISE_DAYS} days": counted(OTHERWISE_DAYS), "late": late}
    for seed in [int(each) for each in sys.argv[1:]] or [7, 8, 9]:
        of = draw(city, seed, size=WORKERS, surge_calls=CALLS_A_DAY, calls_a_day=CALLS_A_DAY, days=DAYS)
        ways = {"first come": play(of, as_it_comes)}
        ways |= {
            name: play(of, lambda problem, waited: solve(problem).assigned, worth) for name, worth in worths.items()
        }
        print(f"seed {seed}: {len(of.problem)} calls, longest wait under any order at least {longest_wait_least(of)}")
        for way, found in ways.items():
            waited, age = found.served_on - of.came_on, overtaken(of, found).age_days
            rows = (waited[(of.servable > 0) & (of.urgency == step)] for step in range(STEPS))
            told = ", ".join(f"{row.mean():.1f}/{np.percentile(row, 99):.0f}/{row.max()}" for row in rows)
            late_ones = int((age > most).sum())
            print(
                f"  {way}: {told}; overtaken {int((age >= 0).sum())}, {late_ones} after {most} days, oldest {age.max()}"
            )


if __name__ == "__main__":
    main()
