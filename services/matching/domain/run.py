"""A matching run 批量派单: ordered for a division, computed apart, confirmed by an officer, sent out in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import (
    ApplyRun,
    CancelRun,
    ConfirmRun,
    FailRun,
    FinishRun,
    Pair,
    RunApplied,
    RunCancelled,
    RunComputed,
    RunConfirmed,
    RunFailed,
    RunStarted,
    StartRun,
    Summary,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing
from services.matching.domain.answering import taken_back
from services.matching.domain.dispatching import offer_to
from services.matching.domain.holding import require_reason
from services.matching.domain.request import REQUEST, Request
from services.matching.domain.worker import Worker, let_go

FIRST = 1  # the rank of whom the optimum chose

RUN = Machine(
    "run",
    initial="computing",
    moves=[
        Move("finish", "computing", "computed"),
        Move("find_nothing", "computed", "applied"),
        Move("confirm", "computed", "confirmed"),
        Move("apply", "confirmed", "applied"),
        Move("cancel", ("computing", "computed", "confirmed"), "cancelled"),
        Move("fail", ("computing", "confirmed"), "failed"),
    ],
    ends=("applied", "cancelled", "failed"),
)


class Run(Aggregate, frozen=True, kw_only=True):
    """One run. What it was computed from, its certificate and each pair's numbers lie in tables of their own."""

    kind: ClassVar[str] = "run"
    prefix: ClassVar[str] = "mr"

    state: str
    started_by: str
    started_at: datetime
    reason: str
    deadline_s: int
    apply_at_once: bool
    movable: bool = False
    summary: Summary | None = None
    ended_by: str | None = None
    ended_reason: str | None = None


def _said(run: Run, context: Context) -> dict[str, Any]:
    return {"run_id": run.id, "division": run.division, "at": context.now}


@decides(StartRun, on=Run, facts=("runs_beside",))
def start_run(_: None, command: StartRun, context: Context, *, runs_beside: Sequence[Run]) -> tuple[Any, ...]:
    """One run at a time over a place: two would send the same worker twice."""
    if runs_beside:
        other = runs_beside[0]
        raise Refused("run_overlaps", run_id=other.id, division=other.division, state=other.state)
    most = context.figure("run_seconds_most", division=command.division)
    seconds = command.deadline_s
    if seconds is None:
        seconds = context.figure("run_seconds", division=command.division)
    if not 1 <= seconds <= most:
        raise Refused("bad_deadline", deadline_s=seconds, most=most)
    run = Run(
        id=context.new_id(Run.prefix),
        division=command.division,
        state=RUN.initial,
        started_by=context.actor,
        started_at=context.now,
        reason=require_reason(command.reason),
        deadline_s=seconds,
        apply_at_once=command.apply_at_once,
        movable=command.movable,
    )
    return run, RunStarted(**_said(run, context))


@decides(FinishRun, on=Run, key="run_id")
def finish_run(run: Run, command: FinishRun, context: Context) -> tuple[Any, ...]:
    """The result stands; it is confirmed already where the officer wanted it sent out at once. Where nobody waits there is
    nothing to confirm: the run has ended, and its place is free for another."""
    if run.state in RUN.ends:
        return (run,)  # cancelled while it was computed
    summary = command.summary
    after = replace(run, state=RUN.move("finish", run.state), summary=summary)
    computed = RunComputed(
        status=summary.status,
        requests=summary.requests,
        served=summary.served,
        objective=summary.objective,
        bound=summary.bound,
        inputs_digest=summary.inputs_digest,
        certificate_digest=summary.certificate_digest,
        **_said(run, context),
    )
    if run.apply_at_once:
        return replace(after, state=RUN.move("confirm", after.state)), computed, RunConfirmed(**_said(run, context))
    if summary.requests:
        return after, computed
    nothing = RunApplied(offers=0, certificate_digest=summary.certificate_digest, **_said(run, context))
    return replace(after, state=RUN.move("find_nothing", after.state)), computed, nothing


@decides(ConfirmRun, on=Run, key="run_id")
def confirm_run(run: Run, command: ConfirmRun, context: Context) -> tuple[Any, ...]:
    """An officer has looked at the result and wants it sent out."""
    return replace(run, state=RUN.move("confirm", run.state)), RunConfirmed(**_said(run, context))


@decides(CancelRun, on=Run, key="run_id")
def cancel_run(run: Run, command: CancelRun, context: Context) -> tuple[Any, ...]:
    """Given up with a reason; nothing was sent and nothing will be."""
    state = RUN.move("cancel", run.state)
    after = replace(run, state=state, ended_by=context.actor, ended_reason=require_reason(command.reason))
    return after, RunCancelled(**_said(run, context))


@decides(FailRun, on=Run, key="run_id")
def fail_run(run: Run, command: FailRun, context: Context) -> tuple[Any, ...]:
    """It could not be done; the requests wait as before."""
    if run.state in RUN.ends:
        return (run,)
    after = replace(run, state=RUN.move("fail", run.state), ended_by=context.actor, ended_reason=command.code)
    return after, RunFailed(code=command.code, **_said(run, context))


def _requests(run: Run, command: ApplyRun) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pair.request_id for pair in (*command.pairs, *command.moved)))


def _workers(run: Run, command: ApplyRun) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pair.worker_id for pair in (*command.pairs, *command.moved)))


@decides(ApplyRun, on=Run, key="run_id", also={"requests": (Request, _requests), "workers": (Worker, _workers)})
def apply_run(
    run: Run, command: ApplyRun, context: Context, *, requests: Sequence[Request], workers: Sequence[Worker]
) -> tuple[Any, ...]:
    """Every pair becomes an offer, or none does: where one no longer holds, all is repaired first and tried again."""
    state = RUN.move("apply", run.state)
    step = _Step(run, {r.id: r for r in requests}, {w.id: w for w in workers}, context)
    for pair in command.moved:
        step.take_back(pair)
    new = step.begin(command.pairs)
    for pair in new:
        step.send(pair)
    after = replace(run, state=state, summary=command.summary)
    digest = command.summary.certificate_digest
    applied = RunApplied(offers=len(new), certificate_digest=digest, **_said(run, context))
    return (
        {"": after, "requests": tuple(step.requests.values()), "workers": tuple(step.workers.values())},
        applied,
        *step.said,
    )


@dataclass
class _Step:
    """All records of one application, changed pair by pair; any pair that does not hold refuses `run_moved_on`."""

    run: Run
    requests: dict[str, Request]
    workers: dict[str, Worker]
    context: Context
    before: dict[str, Worker] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)

    def take_back(self, pair: Pair) -> None:
        """Takes an offer back that the run's officer lets move, from the worker who has it."""
        request, worker = self.requests.get(pair.request_id), self.workers.get(pair.worker_id)
        if not self.run.movable or request is None or not _out(request, pair) or request.offer is None:
            raise _moved_on(pair)
        changed, *said = taken_back(request, request.offer, worker, self.context, self.run.reason)
        self._keep(request.id, pair.worker_id, changed, said)

    def begin(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs that are no offers yet. Scores are told by the load that workers had without what the run gives them."""
        self.before = dict(self.workers)
        new = []
        for pair in pairs:
            request, worker = self.requests.get(pair.request_id), self.before.get(pair.worker_id)
            if request is None or worker is None:
                raise _moved_on(pair)
            if self.run.movable and _out(request, pair):
                self.before[worker.id] = let_go(worker, request.id)
            else:
                new.append(pair)
        return new

    def send(self, pair: Pair) -> None:
        """Makes the offer."""
        request, worker = self.requests[pair.request_id], self.workers[pair.worker_id]
        if request.protected or "dispatch" not in REQUEST.possible(request.state):
            raise _moved_on(pair)
        before, asking = self.before[worker.id], pairing.Asking.of(request, self.context)
        if not asking.fits(worker) or any(pairing.of_days_and_names(worker, request, self.context)):
            raise _moved_on(pair)
        changed, *said = offer_to(worker, request, self.context, candidate=asking.ranked(before, FIRST))
        self._keep(request.id, worker.id, changed, said)

    def _keep(self, request_id: str, worker_id: str, changed: Mapping[str, Any], said: Sequence[Any]) -> None:
        self.requests[request_id] = changed[""]
        if "worker" in changed:
            self.workers[worker_id] = changed["worker"]
        self.said += said


def _out(request: Request, pair: Pair) -> bool:
    """Whether the worker of the pair has the request as an offer that is not answered yet."""
    return request.offer is not None and request.offer.worker_id == pair.worker_id


def _moved_on(pair: Pair) -> Refused:
    return Refused("run_moved_on", request_id=pair.request_id, worker_id=pair.worker_id)
