"""`python -m services.matching.optimum FOLDER SECONDS`: solves a folder's inputs.npz at low priority.

Where an earlier proof lies beside it (`earlier`), that one is repaired, if little has changed since. Writes
certificate.npz and result.json (`Result`) beside it; each line on standard output is `requests with a better
worker` and `all requests`, as it goes on.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from services.matching.optimum import certificate, earlier
from services.matching.optimum.fair import points
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.repair import repaired
from services.matching.optimum.result import RESULT, Plain, Result
from services.matching.optimum.solve import Told, solve
from services.matching.ranking.arrays import Ints

NICENESS = 19  # whatever serves people comes first


def full(problem: Problem, assigned: Ints) -> int:
    """How many workers who had a free place have none left."""
    taken = np.bincount(assigned[assigned != NONE], minlength=len(problem.workers))
    return int(((problem.free > 0) & (taken >= problem.free)).sum())


def _tell(every: int) -> Told:
    def tell(_: str, better: int, __: int) -> None:
        sys.stdout.write(f"{better} {every}\n")
        sys.stdout.flush()

    return tell


def main(folder: Path, seconds: float) -> None:
    """Solves; an error ends the process with its trace."""
    os.nice(NICENESS)
    begun = time.monotonic()
    problem = certificate.read_inputs(folder)

    def left() -> float:
        return max(1.0, seconds - (time.monotonic() - begun))

    before, tell = earlier.read(folder), _tell(len(problem))
    mended = repaired(before[0], before[1], problem, before[2], deadline_s=left()) if before else None
    if mended:
        tell("priced", 0, mended.pairs)
    found = mended or solve(problem, deadline_s=left(), told=tell)
    plain = None
    if problem.bands:
        other = solve(replace(problem, bands=()), deadline_s=left())
        plain = Plain(other.objective - points(problem, found.assigned), other.served, full(problem, other.assigned))
    certificate.write_certificate(folder, certificate.Certificate.of(problem, found))
    took_ms = int((time.monotonic() - begun) * 1000)
    (folder / RESULT).write_bytes(
        msgspec.json.encode(Result(took_ms, full(problem, found.assigned), plain, mended is not None))
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
