"""`python -m services.matching.optimum FOLDER SECONDS FLOOR_PERCENT`: solves a folder's inputs.npz at low priority.

Where an earlier proof lies beside it (`earlier`), that one is repaired, if little has changed since. A floor (0: none) is
put on top: what inputs.npz says serving is worth is raised then. Writes certificate.npz and result.json (`Result`) beside
it; each line on standard output is `requests with a better worker` and `all requests`, as it goes on.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from banyan.runtime.host import apart
from services.matching.optimum import certificate, earlier, peers
from services.matching.optimum.fair import raised, with_floor
from services.matching.optimum.figures import full, given, points
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.repair import repaired
from services.matching.optimum.result import RESULT, Compared, Result
from services.matching.optimum.solution import BOUNDED, Solution, Told
from services.matching.optimum.solve import filled, solve
from services.matching.ranking.arrays import Ints

COUNTY = 10**6  # a county's code of twelve digits ends on as many zeros


def _tell(every: int) -> Told:
    def tell(_: str, better: int, __: int) -> None:
        sys.stdout.write(f"{better} {every}\n")
        sys.stdout.flush()

    return tell


def compared(name: str, problem: Problem, chosen: Ints, other: Ints) -> Compared:
    """What an option came to against the plan without it."""
    return Compared(
        name=name,
        points_cost=points(problem, other) - points(problem, chosen),
        served=int((chosen != NONE).sum()),
        served_plain=int((other != NONE).sum()),
        full_workers=full(problem, chosen),
        full_workers_plain=full(problem, other),
    )


class Run:
    """One folder's run, until so many seconds have passed."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.problem = folder, certificate.read_inputs(folder)
        self._until = time.monotonic() + seconds
        self.options: list[Compared] = []

    def left_s(self) -> float:
        """What remains, and a second to end in."""
        return max(1.0, self._until - time.monotonic())

    def over(self) -> bool:
        """Whether no time remains."""
        return time.monotonic() >= self._until

    def mended(self) -> Solution | None:
        """The earlier proof, repaired."""
        before = earlier.read(self.folder)
        if before is None:
            return None
        proof_of, proof, same = before
        return repaired(proof_of, proof, self.problem, same, deadline_s=self.left_s())

    def first_come(self) -> int | None:
        """How many first come, first served would serve: requests stand in the order in which they came. None where no
        time remains to tell."""
        try:
            return int((peers.first_come(self.problem, np.arange(len(self.problem)), self.over) != NONE).sum())
        except TimeoutError:
            return None

    def banded(self, found: Solution) -> None:
        """What the load bands came to."""
        plain = solve(replace(self.problem, bands=()), deadline_s=self.left_s())
        self.options.append(compared("bands", self.problem, found.assigned, plain.assigned))

    def floored(self, found: Solution, percent: int) -> Solution:
        """The plan in which each county that can be has so many percent served; the problem says from now on what it says."""
        county = self.problem.lines[:, 0] // COUNTY * COUNTY
        plan = with_floor(
            self.problem, county, percent, solve=lambda each: solve(each, deadline_s=self.left_s()), over=self.over
        )
        told = compared("floor", self.problem, plan.solution.assigned, found.assigned)
        self.options.append(
            msgspec.structs.replace(
                told, raised=tuple(map(str, plan.bonus)), below=tuple(str(county) for county in plan.below)
            )
        )
        self.problem = raised(self.problem, county, plan.bonus)
        certificate.write_inputs(self.folder, self.problem)
        return plan.solution


def no_worse(problem: Problem, found: Solution) -> Solution:
    """What a deadline ended before all pairs were looked through once, or the most urgent first, whichever is worth more."""
    assigned = peers.urgent_first(problem)
    objective = points(problem, assigned) - problem.paid(given(problem, assigned))
    return replace(found, assigned=assigned, objective=objective) if objective > found.objective else found


def main(folder: Path, seconds: float, floor_percent: int) -> None:
    """Solves; an error ends the process with its trace."""
    apart.begin()
    begun = time.monotonic()
    run = Run(folder, seconds)
    tell = _tell(len(run.problem))
    mended = run.mended()
    if mended:
        tell("priced", 0, mended.pairs)
    found = mended or solve(run.problem, deadline_s=run.left_s(), told=tell)
    if run.problem.bands:
        run.banded(found)
    first_come = run.first_come()
    if floor_percent:
        found = run.floored(found, floor_percent)
    if found.status == BOUNDED:
        found = filled(run.problem, found if found.rounds else no_worse(run.problem, found))
    certificate.write_certificate(folder, certificate.Certificate.of(run.problem, found))
    took_ms = int((time.monotonic() - begun) * 1000)
    result = Result(took_ms, first_come, tuple(run.options), mended is not None)
    (folder / RESULT).write_bytes(msgspec.json.encode(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
