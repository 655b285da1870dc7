"""A run told in figures: how many are served and how long they waited by county, urgency and group, and how full workers are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from banyan.contracts.matching import Load, Option, Share, Summary
from services.matching.domain import pairing
from services.matching.optimum import figures
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.result import Result
from services.matching.ranking.arrays import Ints
from services.matching.snapshot import Names


def summarise(problem: Problem, proof: Certificate, names: Names, result: Result, digest: str) -> Summary:
    """All figures of a run; `digest` is its certificate file's SHA-256."""
    assigned = proof.assigned
    return Summary(
        status=proof.status,
        requests=len(problem),
        workers=len(problem.workers),
        places=int(problem.free.sum()),
        served=int((assigned != NONE).sum()),
        served_first_come=result.first_come,
        objective=proof.objective,
        bound=proof.bound,
        inputs_digest=proof.inputs,
        certificate_digest=digest,
        table=pairing.table_version(),
        policy=names.policy,
        left_out=names.left_out,
        took_ms=result.took_ms,
        repaired=result.repaired,
        shares=(
            *_shares("county", names.counties, assigned, names.waited_days),
            *_shares("urgency", [str(step) for step in names.urgency], assigned, names.waited_days),
            *_shares("client_group", names.groups, assigned, names.waited_days),
        ),
        loads=_loads(problem, assigned),
        options=tuple(Option(**msgspec.structs.asdict(option)) for option in result.options),
    )


def _shares(kind: str, keys: Sequence[str], assigned: Ints, waited: Sequence[int]) -> tuple[Share, ...]:
    return tuple(
        Share(
            kind=kind,
            key=share.key,
            requests=share.asked,
            served=share.served,
            wait_days_p50=share.median_days,
            wait_days_most=share.longest_days,
        )
        for share in figures.shares(assigned, np.array(keys, np.str_), np.array(waited, np.int64))
    )


def _loads(problem: Problem, assigned: Ints) -> tuple[Load, ...]:
    steps = enumerate(figures.loads(problem, assigned).tolist())
    return tuple(Load(percent=100 // figures.LOAD_STEPS * step, workers=many) for step, many in steps if many)
