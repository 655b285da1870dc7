"""A matching run 批量派单: ordered for a division, computed apart, confirmed by an officer, sent out in one step."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from banyan.kernel.decision import Aggregate, Late, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing
from services.matching.domain.answering import taken_back
from services.matching.domain.dispatching import offer_to
from services.matching.domain.holding import require_reason
from services.matching.domain.request import REQUEST, Request
from services.matching.domain.run_options import options
from services.matching.domain.worker import Worker, ask, let_go, load_changed

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
    options(context, command.division)  # refuses what nothing could be computed by
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


@decides(
    ApplyRun,
    on=Run,
    key="run_id",
    portions={"requests": (Request, _requests)},
    late={"workers": (Worker, _workers)},
)
def apply_run(
    run: Run,
    command: ApplyRun,
    context: Context,
    *,
    requests: Iterable[Mapping[str, Request | None]],
    workers: Late[Worker],
) -> Generator[tuple[Any, ...], None, tuple[Any, ...]]:
    """Every pair becomes an offer, or none does: where one no longer holds, all is repaired first and tried again.

    Workers are locked last: an answer of theirs, or a crisis that they are sent to, does not wait for thousands of offers.
    """
    state = RUN.move("apply", run.state)
    step = _Step.begin(run, command, workers.seen, context)
    for some in requests:
        changed, said = [], []
        for id, request in some.items():
            after, *more = step.decide(id, request)
            changed.append(after)
            said += more
        yield {"requests": tuple(changed)}, *said
    asked = step.settled(workers)
    digest = command.summary.certificate_digest
    applied = RunApplied(offers=step.offers, certificate_digest=digest, **_said(run, context))
    return (
        {"": replace(run, state=state, summary=command.summary), "workers": asked},
        applied,
        *(load_changed(worker, context) for worker in asked),
    )


@dataclass
class _Step:
    """One application, decided request by request; any pair that does not hold refuses `run_moved_on`.

    `workers` are as they stand so far; `untouched` without anything that the run gives them: scores are told by that load.
    """

    run: Run
    context: Context
    workers: dict[str, Worker]
    untouched: dict[str, Worker]
    pairs: Mapping[str, Pair]
    moved: Mapping[str, Pair]
    offers: int = 0

    @classmethod
    def begin(cls, run: Run, command: ApplyRun, workers: Mapping[str, Worker], context: Context) -> _Step:
        """All places that the run takes back are free before it gives any."""
        left = dict(workers)
        for pair in command.moved:
            left[pair.worker_id] = let_go(_of(left, pair), pair.request_id)
        untouched = dict(left)
        for pair in command.pairs:
            worker = _of(untouched, pair)
            if pair.request_id in worker.offered:
                untouched[worker.id] = let_go(worker, pair.request_id)
        pairs, moved = ({pair.request_id: pair for pair in each} for each in (command.pairs, command.moved))
        return cls(run, context, left, untouched, pairs, moved)

    def decide(self, id: str, request: Request | None) -> tuple[Any, ...]:
        """The request with its offer, or without the one taken back, and what is said of it."""
        back, pair = self.moved.get(id), self.pairs.get(id)
        said: list[Any] = []
        if back:
            request, *said = self._taken_back(request, back)
        if pair and not (self.run.movable and _out(request, pair)):
            request, *more = self._sent(request, pair)
            said += more
        return request, *said

    def _taken_back(self, request: Request | None, pair: Pair) -> tuple[Any, ...]:
        """The request without the offer that the run's officer lets move; its worker was let go in the beginning."""
        if not self.run.movable or request is None or not _out(request, pair) or request.offer is None:
            raise _moved_on(pair)
        changed, *said = taken_back(request, request.offer, None, self.context, self.run.reason)
        return changed[""], *said

    def _sent(self, request: Request | None, pair: Pair) -> tuple[Any, ...]:
        """The request with its new offer; its worker has one more."""
        if request is None or request.protected or "dispatch" not in REQUEST.possible(request.state):
            raise _moved_on(pair)
        worker, asking = self.workers[pair.worker_id], pairing.Asking.of(request, self.context)
        if not asking.fits(worker) or any(pairing.of_days_and_names(worker, request, self.context)):
            raise _moved_on(pair)
        candidate = asking.ranked(self.untouched[worker.id], FIRST)
        changed, made, _, told = offer_to(worker, request, self.context, candidate=candidate)
        self.workers[worker.id] = changed["worker"]
        self.offers += 1
        return changed[""], made, told

    def settled(self, workers: Late[Worker]) -> tuple[Worker, ...]:
        """All workers whom the run asks or lets go, locked, on top of what else they were asked and took meanwhile."""
        changed = [id for id, worker in self.workers.items() if worker is not workers.seen[id]]
        now = workers.lock(changed)
        return tuple(self._settled(workers.seen[id], self.workers[id], now.get(id)) for id in changed)

    def _settled(self, was: Worker, then: Worker, now: Worker | None) -> Worker:
        """One of them; if anything but their load has changed, or no place is left, the run has to be repaired."""
        if now is was:
            return then
        asked = [id for id in then.offered if id not in was.offered]
        if now is None or replace(now, offered=was.offered, accepted=was.accepted) != was:
            raise _moved_on(Pair(request_id=(asked or was.offered)[0], worker_id=was.id))
        for id in set(was.offered) - set(then.offered):
            now = let_go(now, id)
        if asked and now.load + len(asked) > now.supply.weekly_capacity:
            raise _moved_on(self.pairs[asked[-1]])
        for id in asked:
            now = ask(now, id)
        return now


def _of(workers: Mapping[str, Worker], pair: Pair) -> Worker:
    if pair.worker_id not in workers:
        raise _moved_on(pair)
    return workers[pair.worker_id]


def _out(request: Request | None, pair: Pair) -> bool:
    """Whether the worker of the pair has the request as an offer that is not answered yet."""
    return request is not None and request.offer is not None and request.offer.worker_id == pair.worker_id


def _moved_on(pair: Pair) -> Refused:
    return Refused("run_moved_on", request_id=pair.request_id, worker_id=pair.worker_id)
