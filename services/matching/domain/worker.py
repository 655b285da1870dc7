"""A worker on call: matching's copy of one service assignment, and what is asked of and taken by the worker now."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import (
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
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused

WORKER = Machine(
    "worker",
    initial="on_call",
    moves=[
        Move("keep", ("on_call", "suspended", "ended"), "on_call"),
        Move("suspend", ("on_call", "suspended"), "suspended"),
        Move("end", ("on_call", "suspended"), "ended"),
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


HELD: dict[str, tuple[type[Aggregate], str]] = {"held": (Worker, "worker_id")}


@decides(KeepWorker, on=Worker, also=HELD)
def keep_worker(_: None, command: KeepWorker, context: Context, *, held: Worker | None) -> tuple[Any, ...]:
    """A confirmed service assignment makes a worker who can be asked, or brings one back; a certificate alone does not.
    What was offered or accepted under older terms stays."""
    supply = _sound(command.supply)
    if held is None:
        worker = Worker(id=command.worker_id, division=command.division, state=WORKER.initial, supply=supply)
        return worker, WorkerKept(**_said(worker, context), **_terms(worker))
    after = replace(held, division=command.division, supply=supply, state=WORKER.move("keep", held.state), reason="")
    return {"held": after}, WorkerChanged(**_said(after, context), **_terms(after))


@decides(SuspendWorker, on=Worker, also=HELD)
def suspend_worker(_: None, command: SuspendWorker, context: Context, *, held: Worker | None) -> tuple[Any, ...]:
    """A lapsed or suspended registration takes the worker out of matching until it is back; the station is told."""
    if held is None or held.state in WORKER.ends:
        return (None,)
    after = replace(held, state=WORKER.move("suspend", held.state), reason=command.reason)
    event = WorkerSuspended(offered=after.offered, accepted=after.accepted, **_said(after, context))
    facts = {"worker": after.id, "cases": str(len(after.accepted))}
    told = Notice(template="worker_paused", to=f"station_lead@{after.division}", about=after.id, facts=facts)
    return {"held": after}, event, *((told,) if after.accepted else ())


@decides(EndWorker, on=Worker, also=HELD)
def end_worker(_: None, command: EndWorker, context: Context, *, held: Worker | None) -> tuple[Any, ...]:
    """The assignment is over. Its open requests are named, so that each of them finds somebody else. One that never was
    confirmed ends without a word."""
    if held is None or held.state in WORKER.ends:
        return (None,)
    after = replace(held, state=WORKER.move("end", held.state), reason=command.reason)
    return {"held": after}, WorkerEnded(offered=after.offered, accepted=after.accepted, **_said(after, context))


def _sound(supply: Supply) -> Supply:
    """Refuses `bad_supply` for what no rule could use: no field, no place a week, an end before its beginning."""
    if not supply.fields or supply.weekly_capacity < 1 or (supply.until and supply.until < supply.since):
        raise Refused("bad_supply", fields=len(supply.fields), weekly_capacity=supply.weekly_capacity)
    return supply
