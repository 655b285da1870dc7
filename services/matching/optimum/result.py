"""What the solving process tells beside its certificate; who reads it loads no solver."""

from __future__ import annotations

import msgspec

RESULT = "result.json"


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy option came to against the plan without it: points that it costs, and of both requests served and
    workers without a free place. Of a floor: counties with a bonus, and those that are below it all the same."""

    name: str
    points_cost: int
    served: int
    served_plain: int
    full_workers: int
    full_workers_plain: int
    raised: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """How long solving took, how many are served one after another as they came (None: no time was left to tell), what each
    policy option came to, and whether an earlier proof was repaired instead of beginning anew."""

    took_ms: int
    first_come: int | None
    options: tuple[Compared, ...] = ()
    repaired: bool = False
