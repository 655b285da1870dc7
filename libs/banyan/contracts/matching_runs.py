"""Matching runs 批量派单: all open requests of a division at once, globally optimal, with a certificate.

A run is ordered, computed in a process of its own, confirmed, and applied in one step. Crises and protected requests are
no part of it: a person speaks for each of them. Points are whole; `bound` is what no assignment can exceed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from banyan.contracts.frame import FilePart, FilePartNumber
from banyan.contracts.matching_shapes import Broken, Shape, Term
from banyan.kernel.message import SYSTEM, Command, Event, Query

RUNNERS = ("dispatcher", "duty_officer")
READERS = (*RUNNERS, "audit_admin")


class Share(Shape, frozen=True, kw_only=True):
    """Of one county, urgency or client group: requests in the run, how many are served, how long they waited."""

    kind: str  # county | urgency | client_group
    key: str
    requests: int
    served: int
    wait_days_p50: int
    wait_days_most: int


class Load(Shape, frozen=True, kw_only=True):
    """How many workers are this full after the run, in steps of ten percent of their capacity (0, 10, … 100)."""

    percent: int
    workers: int


class Option(Shape, frozen=True, kw_only=True):
    """What a policy option cost and gained against the optimum without it: points, requests, workers without a free place.

    Of a floor: `raised` counties had serving their requests count for more; `below` are below the floor all the same.
    """

    name: str  # bands | floor
    points_cost: int
    served: int
    served_plain: int
    full_workers: int
    full_workers_plain: int
    raised: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Summary(Shape, frozen=True, kw_only=True):
    """What a run came to. `status`: optimal_all_pairs, or bounded (a gap is left over all pairs).

    `left_out`: open requests that are no part of a run: crises, protected ones, places that nobody knows. `renewed`: the
    state had moved on, and it was computed for the state as it is before it was sent out; `repaired`: from the proof before,
    for little had changed. `moved`: offers out that are taken back, where the run may. `served_first_come`: how many would
    be, one after another as they were taken, each with the best worker left; None where the deadline left no time to tell.
    `table`, `policy`: what it counted by.
    """

    status: str
    requests: int
    workers: int
    places: int
    served: int
    served_first_come: int | None = None
    objective: int
    bound: int
    inputs_digest: str
    certificate_digest: str
    table: str
    policy: str
    left_out: int = 0
    took_ms: int = 0
    renewed: bool = False
    repaired: bool = False
    moved: int = 0
    shares: tuple[Share, ...] = ()
    loads: tuple[Load, ...] = ()
    options: tuple[Option, ...] = ()


class Pair(Shape, frozen=True, kw_only=True):
    """One offer that a run makes."""

    request_id: str
    worker_id: str


# --- commands ---------------------------------------------------------------------------------------------------------
class StartRun(Command, frozen=True, kw_only=True):
    """发起批量派单：对范围内所有待派需求一次求出全局最优，并附可核验的证明。"""

    may: ClassVar = RUNNERS
    division: str
    reason: str
    deadline_s: int | None = None
    apply_at_once: bool = False
    movable: bool = False  # offers out that nobody has answered may go to others, for the reason given


class CancelRun(Command, frozen=True, kw_only=True):
    """取消批量派单：计算中止，结果不派出。"""

    may: ClassVar = RUNNERS
    run_id: str
    reason: str


class ConfirmRun(Command, frozen=True, kw_only=True):
    """确认批量派单的结果：先修补其后的变化，再一次派出。"""

    may: ClassVar = RUNNERS
    run_id: str
    version: int | None = None


class FinishRun(Command, frozen=True, kw_only=True):
    """登记批量派单的计算结果。"""

    may: ClassVar = (SYSTEM,)
    run_id: str
    summary: Summary


class ApplyRun(Command, frozen=True, kw_only=True):
    """将批量派单的结果一次派出；有任何一对已不成立则全部不派，待修补后再派。

    `moved`: offers out that are taken back first, each with the worker who has it; a pair that is out already stays.
    """

    may: ClassVar = (SYSTEM,)
    run_id: str
    pairs: tuple[Pair, ...]
    summary: Summary
    moved: tuple[Pair, ...] = ()


class FailRun(Command, frozen=True, kw_only=True):
    """登记批量派单未能完成。"""

    may: ClassVar = (SYSTEM,)
    run_id: str
    code: str


# --- questions --------------------------------------------------------------------------------------------------------
class RunView(Shape, frozen=True, kw_only=True):
    """A run: who ordered it, why, how far it is, and what it came to.

    `done` of `total` requests have no better worker at the prices found so far; `trouble` is why the last try failed.
    """

    id: str
    version: int
    division: str
    state: str
    started_by: str
    started_at: datetime
    reason: str
    deadline_s: int
    apply_at_once: bool
    movable: bool = False
    done: int = 0
    total: int | None = None
    trouble: str | None = None
    ended_by: str | None = None
    ended_reason: str | None = None
    summary: Summary | None = None


class RunViews(Shape, frozen=True, kw_only=True):
    """A page of runs, newest first."""

    items: tuple[RunView, ...]
    next: str | None = None


class RunChoice(Shape, frozen=True, kw_only=True):
    """A worker for a request as the run counted: `broken` rules, or the score term by term, and the worker's price.

    A pair gains `gain` = serving + score - price; nobody is gained more by than the request's surplus.
    """

    worker_id: str
    price: int
    score: int = 0
    terms: tuple[Term, ...] = ()
    broken: tuple[Broken, ...] = ()
    gain: int | None = None


class RunDecision(Shape, frozen=True, kw_only=True):
    """Why a run gave a request this worker, or nobody (`chosen` None); and of a worker asked after, why not.

    `serving`: what serving the request is worth by urgency and waiting; `surplus`: what it gains at the run's prices;
    `able`: how many workers with a free place pass every rule for it.
    """

    request_id: str
    serving: int
    surplus: int
    able: int = 0
    chosen: RunChoice | None = None
    asked: RunChoice | None = None


class GetRun(Query, frozen=True, kw_only=True):
    """查看一次批量派单：进度、结果、公平指标与各政策选项的代价。"""

    may: ClassVar = READERS
    answer: ClassVar = RunView
    run_id: str


class FindRuns(Query, frozen=True, kw_only=True):
    """查询批量派单，新的在前。"""

    may: ClassVar = READERS
    answer: ClassVar = RunViews
    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class ReadRunInputs(Query, frozen=True, kw_only=True):
    """读取批量派单的输入（inputs.npz，编号为假名）的一段；下载整个文件用 GET /v1/runs/{run_id}/inputs。"""

    may: ClassVar = READERS
    answer: ClassVar = FilePart
    run_id: str
    part: FilePartNumber = 0


class ReadRunCertificate(Query, frozen=True, kw_only=True):
    """读取批量派单的证明（certificate.npz）的一段；下载整个文件用 GET /v1/runs/{run_id}/certificate。"""

    may: ClassVar = READERS
    answer: ClassVar = FilePart
    run_id: str
    part: FilePartNumber = 0


class ExplainRun(Query, frozen=True, kw_only=True):
    """说明批量派单为何把某需求派给某社工，或为何没有派给所问的社工。"""

    may: ClassVar = READERS
    answer: ClassVar = RunDecision
    run_id: str
    request_id: str
    worker_id: str | None = None


# --- events -----------------------------------------------------------------------------------------------------------
class OfRun(Event, frozen=True, kw_only=True):
    """What every event of a run says."""

    abstract: ClassVar = True
    stream: ClassVar = "matching.run"
    run_id: str
    division: str
    at: datetime


class RunStarted(OfRun, frozen=True, kw_only=True):
    """A run was ordered."""


class RunComputed(OfRun, frozen=True, kw_only=True):
    """A run has a result; the certificate's digest lets anybody who holds it prove which one."""

    status: str
    requests: int
    served: int
    objective: int
    bound: int
    inputs_digest: str
    certificate_digest: str


class RunConfirmed(OfRun, frozen=True, kw_only=True):
    """An officer wants the result sent out."""


class RunApplied(OfRun, frozen=True, kw_only=True):
    """The result became offers, all in one step."""

    offers: int
    certificate_digest: str


class RunCancelled(OfRun, frozen=True, kw_only=True):
    """A run was given up by an officer; nothing was sent."""


class RunFailed(OfRun, frozen=True, kw_only=True):
    """A run could not be done; nothing was sent."""

    code: str
