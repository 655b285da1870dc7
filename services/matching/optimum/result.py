"""What the solving process tells beside its certificate; who reads it loads no solver."""

from __future__ import annotations

import msgspec

RESULT = "result.json"


class Plain(msgspec.Struct, frozen=True):
    """What the load bands cost: points against the optimum without them, and both ways of sending."""

    points_cost: int
    served: int
    full_workers: int


class Result(msgspec.Struct, frozen=True):
    """How long solving took, how many workers have no free place left, the plain optimum beside bands, and whether an
    earlier proof was repaired instead of beginning anew."""

    took_ms: int
    full_workers: int
    plain: Plain | None = None
    repaired: bool = False
