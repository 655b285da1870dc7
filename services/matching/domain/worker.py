"""A worker on call: matching's copy of one service assignment, and what is asked of and taken by the worker now."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import (
    ChangeWorker,
    EndWorker,
    KeepWorker,
    SuspendWorker,
    WorkerChanged,
    WorkerEnded,
    WorkerKept,
    WorkerLoadChanged,
    WorkerSuspended,
)
from banyan.contracts.matching_shapes import Supply
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused

WORKER = Machine(
    "worker",
    initial="on_call",
    moves=[
        Move("suspend", "on_call", "suspended"),
        Move("resume", "suspended", "on_call"),
        Move("end", ("on_call", "suspended"), "ended"),
        Move("keep_again", "ended", "on_call"),
    ],
    ends=("ended",),
)


class Worker(Aggregate, frozen=True, kw_only=True):
    """One service assignment under its own id. `offered` and `accepted` are requests: the load is their count."""

    kind: ClassVar[str] = "worker"
    prefix: ClassVar[str] = "a"

    state: str
    supply: Supply
    offered: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    reason: str = ""

    @property
    def load(self) -> int:
        """Places taken of the weekly capacity: cases accepted and offers that wait."""
        return len(self.offered) + len(self.accepted)

    @property
    def notify(self) -> str:
        """Where notices go: the account, else the person."""
        return self.supply.account or self.supply.person_id

    @property
    def names(self) -> frozenset[str]:
        """All that this worker is called by in a list of receivers or of excluded workers."""
        return frozenset({self.id, self.supply.person_id, self.supply.account} - {None})  # type: ignore[arg-type]

    def is_caller(self, context: Context) -> bool:
        """Whether the caller is this worker."""
        return bool({context.actor, context.caller.person} & {self.supply.account, self.supply.person_id} - {None})


def load_changed(worker: Worker, context: Context) -> WorkerLoadChanged:
    """What the world may know of a worker's load."""
    counts = {"offered": len(worker.offered), "accepted": len(worker.accepted)}
    return WorkerLoadChanged(worker_id=worker.id, division=worker.division, at=context.now, **counts)


def ask(worker: Worker, request_id: str) -> Worker:
    """The worker with one more offer out."""
    return replace(worker, offered=(*without(worker.offered, request_id), request_id))


def take(worker: Worker, request_id: str) -> Worker:
    """The worker with the case accepted."""
    taken = (*without(worker.accepted, request_id), request_id)
    return replace(worker, offered=without(worker.offered, request_id), accepted=taken)


def let_go(worker: Worker, request_id: str) -> Worker:
    """The worker free of the request, offered or accepted."""
    return replace(worker, offered=without(worker.offered, request_id), accepted=without(worker.accepted, request_id))


def without(ids: tuple[str, ...], id: str) -> tuple[str, ...]:
    """The ids but one."""
    return tuple(each for each in ids if each != id)


def _said(worker: Worker, context: Context) -> dict[str, Any]:
    return {"worker_id": worker.id, "division": worker.division, "at": context.now}


def _terms(worker: Worker) -> dict[str, Any]:
    return {"fields": tuple(worker.supply.fields), "weekly_capacity": worker.supply.weekly_capacity}


@decides(KeepWorker, on=Worker)
def keep_worker(_: None, command: KeepWorker, context: Context) -> tuple[Any, ...]:
    """A confirmed service assignment makes a worker who can be asked; a certificate alone does not."""
    worker = Worker(
        id=command.worker_id, division=command.division, state=WORKER.initial, supply=_sound(command.supply)
    )
    return worker, WorkerKept(**_said(worker, context), **_terms(worker))


@decides(ChangeWorker, on=Worker, key="worker_id")
def change_worker(worker: Worker, command: ChangeWorker, context: Context) -> tuple[Any, ...]:
    """New terms of the assignment; what was offered or accepted under the old ones stays."""
    state = WORKER.move("keep_again", worker.state) if worker.state in WORKER.ends else worker.state
    after = replace(worker, division=command.division, supply=_sound(command.supply), state=state)
    return after, WorkerChanged(**_said(after, context), **_terms(after))


@decides(SuspendWorker, on=Worker, key="worker_id")
def suspend_worker(worker: Worker, command: SuspendWorker, context: Context) -> tuple[Any, ...]:
    """A lapsed or suspended registration takes the worker out of matching; its return brings the worker back."""
    state = WORKER.move("resume" if command.active else "suspend", worker.state)
    after = replace(worker, state=state, reason=command.reason)
    return after, WorkerSuspended(active=command.active, **_said(after, context))


@decides(EndWorker, on=Worker, key="worker_id")
def end_worker(worker: Worker, command: EndWorker, context: Context) -> tuple[Any, ...]:
    """The assignment is over. Its open requests are named, so that each of them finds somebody else."""
    after = replace(worker, state=WORKER.move("end", worker.state), reason=command.reason)
    return after, WorkerEnded(open_requests=(*worker.offered, *worker.accepted), **_said(after, context))


def _sound(supply: Supply) -> Supply:
    """Refuses `bad_supply` for what no rule could use: no field, no place a week, an end before its beginning."""
    if not supply.fields or supply.weekly_capacity < 1 or (supply.until and supply.until < supply.since):
        raise Refused("bad_supply", fields=len(supply.fields), weekly_capacity=supply.weekly_capacity)
    return supply
