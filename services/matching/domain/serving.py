"""Service 介入 结案 跟进: outcome measured at start and close, and a follow-up that may open the case again."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    CompleteService,
    FollowUp,
    RequestFollowedUp,
    ServiceCompleted,
    ServiceStarted,
    StartService,
)
from banyan.contracts.matching_shapes import Measure
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.matching.domain import place, said
from services.matching.domain.holding import at_station, deadline, may_know
from services.matching.domain.request import REQUEST, Request, serving_worker
from services.matching.domain.worker import Worker, let_go, load_changed

COMPLETED = "completed"
SERVING = {"worker": (Worker, serving_worker)}


def _own_case(request: Request, worker: Worker | None, context: Context) -> None:
    """The worker of the case, or an officer who may know of it; to anyone else there is no such request."""
    mine = worker is not None and worker.is_caller(context)
    if not mine and (context.own_only or not may_know(request, context)):
        raise Refused("not_found")


def _measured(outcome: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """At least one scale, each once; refuses `outcome_missing`."""
    scales = {measure.scale for measure in outcome}
    if not outcome or len(scales) < len(outcome):
        raise Refused("outcome_missing")
    return outcome


@decides(StartService, on=Request, key="request_id", also=SERVING)
def start_service(
    request: Request, command: StartService, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """Service begins with a measured outcome, so that its end can be compared."""
    _own_case(request, worker, context)
    after = replace(
        request,
        state=REQUEST.move("start", request.state),
        started_at=context.now,
        outcome_at_start=_measured(command.outcome),
    )
    after = deadline(after, context, "review_hours")
    return after, ServiceStarted(worker_id=request.worker_id or "", **said.facts(after, context))


@decides(CompleteService, on=Request, key="request_id", also=SERVING)
def complete_service(
    request: Request, command: CompleteService, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """Service ends; the same scales are measured again, the place is free, the follow-up stays with the worker."""
    _own_case(request, worker, context)
    begun = {measure.scale: measure.points for measure in request.outcome_at_start}
    closed = {measure.scale: measure.points for measure in _measured(command.outcome)}
    if begun.keys() != closed.keys():
        raise Refused("outcome_missing", scales=sorted(begun))
    if command.minutes_served < 1:
        raise Refused("bad_input", field="minutes_served", detail="at least 1")
    after = replace(
        request,
        state=REQUEST.move("complete", request.state),
        completed_at=context.now,
        outcome_at_close=command.outcome,
        minutes_served=request.minutes_served + command.minutes_served,
    )
    after = deadline(after, context, "follow_up_hours")
    changed: dict[str, Any] = {"": after}
    load: tuple[Any, ...] = ()
    if worker is not None:
        changed["worker"] = let_go(worker, request.id)
        load = (load_changed(changed["worker"], context),)
    completed = ServiceCompleted(
        worker_id=request.worker_id or "",
        minutes_served=command.minutes_served,
        change=sum(closed.values()) - sum(begun.values()),
        **said.facts(after, context),
    )
    return changed, completed, *load, said.notice(after, "completed", request.taken_by)


@decides(FollowUp, on=Request, key="request_id", also=SERVING)
def follow_up(request: Request, command: FollowUp, context: Context, *, worker: Worker | None) -> tuple[Any, ...]:
    """The client is asked how it went. Well: the case ends. Not well: it is open again, continuity counts."""
    _own_case(request, worker, context)
    note = Private(command.note, kind="need") if command.note else request.follow_up_note
    followed = RequestFollowedUp(well=command.well, **said.facts(request, context))
    if command.well:
        after = replace(
            request,
            state=REQUEST.move("follow_up", request.state),
            followed_up_at=context.now,
            follow_up_note=note,
            holder=None,
            due_at=None,
            ending=COMPLETED,
            ended_by=context.actor,
            ended_reason=COMPLETED,
            ended_at=context.now,
            point=place.ended(request.point),
        )
        return after, followed
    after = replace(
        request,
        state=REQUEST.move("serve_again", request.state),
        follow_up_note=note,
        earlier_workers=tuple(dict.fromkeys((*request.earlier_workers, request.worker_id or ""))),
        worker_id=None,
        round=len(request.offers),
        candidates=(),
        holder=at_station(request, context),
    )
    return deadline(after, context, "dispatch_hours"), followed
