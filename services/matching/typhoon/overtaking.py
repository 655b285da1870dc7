"""Overtaken 被后来者先得: a call stays open while a worker who could take it is given to one that came later and is not more
urgent. Stable matching calls it justified envy. It tells a call that starves from one that waits for a scarce worker.

The optimum cannot be bettered by giving that worker to the earlier call, so the later one is worth at least as much with
them: each day that the earlier one has waited more counts, and what the two pairs' scores can differ by is limited. Both
bounds below follow from the figures alone, for any day, place and number of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from banyan.kernel.codes import CODES
from services.matching.ranking.arrays import Ints
from services.matching.ranking.figures import Figures
from services.matching.typhoon.day import ON, figures, policy
from services.matching.typhoon.fortnight import OPEN, Fortnight, Waits

STEPS = len(CODES["urgency"])
NEVER = -1
WIDEST: Mapping[str, Callable[[Figures], int]] = {
    "proficiency": lambda f: np.ptp([f.proficiency_1_points, f.proficiency_2_points, f.proficiency_3_points]).item(),
    "distance": lambda f: f.nearest_points,
    "capacity": lambda f: 0,
    "continuity": lambda f: f.earlier_points,
    "language": lambda f: f.asked_language_points,
    "level": lambda f: f.exact_level_points,
    "availability": lambda f: f.slots_most_points,
}
"""By each term, how far the points of two calls with the same worker on the same morning can lie apart."""


@dataclass(frozen=True)
class Overtaken:
    """Of each call over all days that it stayed open: `age_days[r]`, how long it had waited when it was last overtaken, or NEVER;
    `ahead_days[r, s]`, by how many counted days of waiting, at the most, it was ahead of one that came later, is s steps of
    urgency below it and was served first, or NEVER; `below[r]`: whether one less urgent was ever served first, whenever
    it came. In all of it the one served first took a worker who could have taken this call."""

    age_days: Ints
    ahead_days: Ints
    below: Ints


def overtaken(of: Fortnight, found: Waits) -> Overtaken:
    """Looks through each day of a play: who stayed open, and whom the workers who could have taken them were given to."""
    many, workers = len(of.problem), len(of.problem.workers)
    age, below = np.full(many, NEVER, np.int64), np.zeros(many, np.int64)
    ahead = np.full((many, STEPS), NEVER, np.int64)
    most = policy().at("serving_wait_days_most", ON)
    for today in range(int(found.served_on.max(initial=OPEN)) + 1):
        given = np.flatnonzero(found.served_on == today)
        newest = np.full((workers, STEPS), NEVER, np.int64)
        np.maximum.at(newest, (found.served_by[given], of.urgency[given]), of.came_on[given])
        stays = (of.came_on <= today) & ((found.served_on == OPEN) | (found.served_on > today))
        asked = stays[of.able[0]]
        request, worker = (side[asked] for side in of.able)
        for step in range(STEPS):
            level = of.urgency[request] - step
            came = np.where(level >= 0, newest[worker, level], NEVER)
            if step:
                below[request[came != NEVER]] = 1
            first = came > of.came_on[request]
            late, waited = request[first], today - of.came_on[request[first]]
            age[late] = waited
            np.maximum.at(ahead[:, step], late, np.minimum(waited, most) - np.minimum(today - came[first], most))
    return Overtaken(age, ahead, below)


def ahead_days_most(step: int) -> int:
    """The most counted days of waiting by which a call that the optimum lets be overtaken can be ahead of one so many steps of
    urgency below it; NEVER where it cannot be overtaken at all. Waiting beyond `serving_wait_days_most` counts for nobody."""
    apart = sum(widest(figures()) for widest in WIDEST.values())
    left = apart - step * policy().at("serving_urgency_points", ON)
    return left // policy().at("serving_wait_points", ON) if left >= 0 else NEVER
