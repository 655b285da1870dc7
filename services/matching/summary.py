"""A run told in figures: how many are served and how long they waited by county, urgency and group, and how full workers are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np

from banyan.contracts.matching import Load, Option, Share, Summary
from services.matching.domain import pairing
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.result import Result
from services.matching.snapshot import Names

STEP_PERCENT = 10


def summarise(problem: Problem, proof: Certificate, names: Names, result: Result, digest: str) -> Summary:
    """All figures of a run; `digest` is its certificate file's SHA-256."""
    served = (proof.assigned != NONE).tolist()
    return Summary(
        status=proof.status,
        requests=len(problem),
        workers=len(problem.workers),
        places=int(problem.free.sum()),
        served=sum(served),
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
            *_shares("county", names.counties, served, names.waited_days),
            *_shares("urgency", [str(step) for step in names.urgency], served, names.waited_days),
            *_shares("client_group", names.groups, served, names.waited_days),
        ),
        loads=_loads(problem, proof),
        options=tuple(Option(**msgspec.structs.asdict(option)) for option in result.options),
    )


def _shares(kind: str, keys: Sequence[str], served: Sequence[bool], waited: Sequence[int]) -> tuple[Share, ...]:
    days, many = defaultdict(list), defaultdict(int)
    for key, yes, wait in zip(keys, served, waited, strict=True):
        days[key].append(wait)
        many[key] += yes
    return tuple(
        Share(
            kind=kind,
            key=key,
            requests=len(found),
            served=many[key],
            wait_days_p50=sorted(found)[len(found) // 2],
            wait_days_most=max(found),
        )
        for key, found in sorted(days.items())
    )


def _loads(problem: Problem, proof: Certificate) -> tuple[Load, ...]:
    capacity = problem.workers.rows["capacity"].astype(np.int64)
    taken = np.bincount(proof.assigned[proof.assigned != NONE], minlength=len(capacity))
    load = capacity - problem.workers.rows["free"] + taken
    percent = np.minimum(100, 100 * load // np.maximum(capacity, 1)) // STEP_PERCENT * STEP_PERCENT
    steps, counts = np.unique(percent, return_counts=True)
    return tuple(Load(percent=int(step), workers=int(many)) for step, many in zip(steps, counts, strict=True))
