"""The certificate of a run: the assignment, the prices and surpluses that prove it, and what they are a proof of.

Two files in a folder: `inputs.npz`, the arrays of the problem, and `certificate.npz`. Both are zip files of plain numpy
arrays (no pickles) with a JSON header `told`; the same content gives the same bytes. docs/optimum.md lists the arrays.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from services.matching.optimum.problem import Problem
from services.matching.ranking import TABLE_VERSION
from services.matching.ranking.arrays import Ints

if TYPE_CHECKING:  # whoever checks a certificate loads no solver
    from services.matching.optimum.solution import Solution

FORMAT = "banyan.matching.certificate.v1"
INPUTS, CERTIFICATE = "inputs.npz", "certificate.npz"
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What reading a file that is none, or a damaged one, may raise."""
_ARRAYS = ("assigned", "prices", "surplus")
_TOLD = ("inputs", "table_version", "objective", "bound", "status")


@dataclass(frozen=True)
class Certificate:
    """`assigned[r]`: the worker's place in the problem, or -1. `prices` a worker, `surplus` a request, in points.

    `inputs`: the digest of the problem that it is about; `table_version`: of the rules and terms that it counted by.
    """

    assigned: Ints
    prices: Ints
    surplus: Ints
    objective: int
    bound: int
    status: str
    inputs: str
    table_version: str

    @classmethod
    def of(cls, problem: Problem, found: Solution) -> Certificate:
        """The certificate of a solution."""
        return cls(
            assigned=found.assigned,
            prices=found.prices,
            surplus=found.surplus,
            objective=found.objective,
            bound=found.bound,
            status=found.status,
            inputs=problem.digest,
            table_version=TABLE_VERSION,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The certificate as plain arrays by name."""
        told = {"format": FORMAT} | {name: getattr(self, name) for name in _TOLD}
        text = json.dumps(told, sort_keys=True).encode()
        return {"told": np.frombuffer(text, np.uint8)} | {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Certificate:
        """The certificate that arrays say; refuses (ValueError, KeyError, TypeError) another format or other types."""
        told = json.loads(bytes(arrays["told"]))
        columns: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
        sound = (
            set(told) == {"format", *_TOLD}
            and told["format"] == FORMAT
            and all(column.dtype == np.int64 and column.ndim == 1 for column in columns.values())
            and all(type(told[name]) is int for name in ("objective", "bound"))
        )
        if not sound:
            raise ValueError("a certificate of another format")
        return cls(**columns, **{name: told[name] for name in _TOLD})


def write(folder: Path, problem: Problem, certificate: Certificate) -> None:
    """Writes both files, each whole or not at all."""
    write_inputs(folder, problem)
    write_certificate(folder, certificate)


def write_inputs(folder: Path, problem: Problem) -> None:
    """Writes the problem's file."""
    _write(folder / INPUTS, problem.arrays())


def write_certificate(folder: Path, certificate: Certificate) -> None:
    """Writes the certificate's file."""
    _write(folder / CERTIFICATE, certificate.arrays())


def read(folder: Path) -> tuple[Problem, Certificate]:
    """The problem and the certificate of a folder; raises one of UNREADABLE for what is none."""
    return read_inputs(folder), Certificate.from_arrays(arrays_of(folder / CERTIFICATE))


def read_inputs(folder: Path) -> Problem:
    """The problem of a folder; raises one of UNREADABLE for what is none."""
    return Problem.of(arrays_of(folder / INPUTS))


def arrays_of(file: Path | IO[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of one file by name."""
    with np.load(file, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def _write(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    unfinished = file.with_name(f".{file.name}")
    with unfinished.open("wb") as opened:
        np.savez_compressed(opened, **dict(sorted(arrays.items())))  # type: ignore[arg-type]  # its own flag's type
    unfinished.rename(file)
