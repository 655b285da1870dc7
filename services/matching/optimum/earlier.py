"""An earlier proof beside a problem, as files: what a repair goes out from. Whoever writes them loads no solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.matching.optimum import certificate
from services.matching.optimum.certificate import Certificate, arrays_of
from services.matching.optimum.problem import NONE, Problem
from services.matching.ranking.arrays import Ints

INPUTS, CERTIFICATE, SAME = "earlier-inputs.npz", "earlier-certificate.npz", "same.npz"
FILES = {INPUTS: certificate.INPUTS, CERTIFICATE: certificate.CERTIFICATE}
"""Under which name each file of the earlier state is set aside."""


@dataclass(frozen=True)
class Same:
    """Where each request and worker of a problem stood in the earlier one; NONE: there is none, or nobody like this."""

    request: Ints
    worker: Ints

    @classmethod
    def of(cls, before: tuple[Sequence[str], Sequence[str]], now: tuple[Sequence[str], Sequence[str]]) -> Same:
        """By the ids of (requests, workers), then and now."""
        places = ({id: n for n, id in enumerate(ids)} for ids in before)
        found = (
            np.array([known.get(id, NONE) for id in ids], np.int64) for known, ids in zip(places, now, strict=True)
        )
        return cls(*found)

    def write(self, folder: Path) -> None:
        """Writes the file."""
        np.savez_compressed(folder / SAME, request=self.request, worker=self.worker)


def read(folder: Path) -> tuple[Problem, Certificate, Same] | None:
    """The earlier problem, its proof and who stayed; None where no earlier one was set aside."""
    if not (folder / SAME).exists():
        return None
    inputs, proof = (arrays_of(folder / name) for name in FILES)
    return Problem.of(inputs), Certificate.from_arrays(proof), Same(**arrays_of(folder / SAME))
