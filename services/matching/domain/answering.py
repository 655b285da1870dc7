"""The worker's answer 接单 退单, silence, and a worker who can go on no longer: no request is left alone by it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    AcceptOffer,
    AssignCrisis,
    DeclineOffer,
    ExpireOffer,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferRecalled,
    RecallOffer,
    ReleaseWorker,
    WorkerReleased,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing, said
from services.matching.domain.holding import at_station, deadline, guard, require_reason, too_late
from services.matching.domain.request import REQUEST, Holder, Offer, Request, asked_worker, serving_worker
from services.matching.domain.taking import CRISIS
from services.matching.domain.worker import WORKER, Worker, let_go, load_changed, take

DECLINED, EXPIRED, RECALLED, ACCEPTED = "declined", "expired", "recalled", "accepted"


@decides(AcceptOffer, on=Request, key="request_id", also={"worker": (Worker, asked_worker)})
def accept_offer(request: Request, command: AcceptOffer, context: Context, *, worker: Worker | None) -> tuple[Any, ...]:
    """The worker takes the case and answers for it; whoever may no longer serve is refused."""
    offer, worker = _own_offer(request, worker, context)
    failed = tuple(pairing.of_days_and_names(worker, request, context))
    if failed:
        raise Refused("worker_unfit", worker_id=worker.id, rules=sorted(rule.rule for rule in failed))
    after = _answered(replace(request, state=REQUEST.move("accept", request.state)), offer, ACCEPTED, None, context)
    return _taken(after, worker, context)


def _taken(request: Request, worker: Worker, context: Context) -> tuple[Any, ...]:
    """The case in the worker's hands, the load changed with it."""
    after = replace(
        request,
        worker_id=worker.id,
        accepted_at=context.now,
        holder=Holder(worker_id=worker.id),
        receivers=tuple(dict.fromkeys((*request.receivers, worker.supply.person_id))) if request.protected else (),
    )
    after = deadline(after, context, "start_hours")
    busy = take(worker, request.id)
    accepted = OfferAccepted(
        worker_id=worker.id,
        wait_min=int((context.now - request.taken_at).total_seconds()) // 60,
        declined_before=sum(offer.answer in (DECLINED, EXPIRED) for offer in request.offers),
        **said.facts(after, context),
    )
    told = said.notice(after, "accepted", request.taken_by)
    return {"": after, "worker": busy}, accepted, load_changed(busy, context), told


def _own_offer(request: Request, worker: Worker | None, context: Context) -> tuple[Offer, Worker]:
    """The open offer and its worker, if the caller is that worker; to anyone else there is no such request."""
    offer = request.offer
    if offer is None or worker is None or not worker.is_caller(context):
        raise Refused("not_found")
    return offer, worker


def _answered(request: Request, offer: Offer, answer: str, reason: str | None, context: Context) -> Request:
    closed = replace(offer, answer=answer, answered_at=context.now, reason=reason)
    return replace(request, offers=(*request.offers[:-1], closed))


def _passed_on(
    request: Request, worker: Worker | None, context: Context, offer: Offer, answer: str, reason: str | None
) -> tuple[Request, dict[str, Any], tuple[Any, ...]]:
    """The request is ready for the next candidate, and its old holder has it; the worker's place is free again."""
    after = _answered(request, offer, answer, reason, context)
    after = deadline(replace(after, state=REQUEST.move("pass_on", request.state)), context, "dispatch_hours")
    changed: dict[str, Any] = {"": after}
    if worker is None:
        return after, changed, ()
    changed["worker"] = let_go(worker, request.id)
    return after, changed, (load_changed(changed["worker"], context),)


@decides(DeclineOffer, on=Request, key="request_id", also={"worker": (Worker, asked_worker)})
def decline_offer(
    request: Request, command: DeclineOffer, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """The worker says no, and why; the next candidate follows."""
    offer, worker = _own_offer(request, worker, context)
    reason = require_reason(command.reason)
    after, changed, load = _passed_on(request, worker, context, offer, DECLINED, reason)
    event = OfferDeclined(worker_id=offer.worker_id, direct=after.direct, **said.facts(after, context))
    return changed, event, *load, _next_told(after)


def _next_told(request: Request) -> Any:
    assert request.holder is not None, "no request without a holder"
    return said.notice(request, "passed_on", request.holder.address())


@decides(ExpireOffer, on=Request, key="request_id", also={"worker": (Worker, asked_worker)})
def expire_offer(request: Request, command: ExpireOffer, context: Context, *, worker: Worker | None) -> tuple[Any, ...]:
    """No answer in time, or a worker who can no longer be asked: the next candidate follows. An order of the clock that
    comes too early or too late changes nothing."""
    offer = request.offer
    if offer is None:
        return (request,)
    over = offer.expires_at is not None and offer.expires_at <= context.now
    gone = worker is None or worker.state != WORKER.initial
    if not over and not gone:
        return (request,)
    after, changed, load = _passed_on(request, worker, context, offer, EXPIRED, None)
    event = OfferExpired(worker_id=offer.worker_id, direct=after.direct, **said.facts(after, context))
    return changed, event, *load, _next_told(after)


@decides(RecallOffer, on=Request, key="request_id", also={"worker": (Worker, asked_worker)})
def recall_offer(request: Request, command: RecallOffer, context: Context, *, worker: Worker | None) -> tuple[Any, ...]:
    """An officer takes an unanswered offer back, with a reason, to send somebody else."""
    guard(request, context)
    if request.offer is None:
        raise Refused("no_open_offer")
    changed, *events = taken_back(request, request.offer, worker, context, require_reason(command.reason))
    return changed | {"": replace(changed[""], holder=Holder(account=context.actor))}, *events


def taken_back(request: Request, offer: Offer, worker: Worker | None, context: Context, reason: str) -> tuple[Any, ...]:
    """An unanswered offer is taken back, and its worker is told."""
    after, changed, load = _passed_on(request, worker, context, offer, RECALLED, reason)
    recalled = OfferRecalled(worker_id=offer.worker_id, **said.facts(after, context))
    return changed, recalled, *load, said.notice(after, "recalled", offer.notify)


@decides(AssignCrisis, on=Request, key="request_id", also={"worker": (Worker, "worker_id")})
def assign_crisis(
    request: Request, command: AssignCrisis, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """The duty person who took the crisis has spoken with a worker, who goes. Ranking advised; conflict bars."""
    guard(request, context)
    require_reason(command.reason)
    if request.urgency < CRISIS or request.crisis is None or not request.crisis.acknowledged_by:
        raise Refused("no_open_crisis", state=request.state)
    if worker is None or worker.state != WORKER.initial:
        raise Refused("not_found", what="worker")
    if worker.names & set(request.excluded_workers):
        raise Refused("worker_unfit", worker_id=worker.id, rules=["no_conflict"])
    after = replace(
        request,
        state=REQUEST.move("assign", request.state),
        offers=(*request.offers, _by_word(worker, command, context)),
    )
    changed, *events = _taken(after, worker, context)
    return changed, *events, said.notice(after, "crisis_assigned", worker.notify, urgent=True)


def _by_word(worker: Worker, command: AssignCrisis, context: Context) -> Offer:
    """What stands for the offer: agreed by word of mouth, at once."""
    return Offer(
        worker_id=worker.id,
        notify=worker.notify,
        made_at=context.now,
        made_by=context.actor,
        rank=0,
        score=0,
        delivered_at=context.now,
        answered_at=context.now,
        answer=ACCEPTED,
        reason=command.reason,
        policy=context.policy.version,
    )


@decides(ReleaseWorker, on=Request, key="request_id", also={"worker": (Worker, serving_worker)})
def release_worker(
    request: Request, command: ReleaseWorker, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """The worker can go on no longer: the station holds the case, the worker's place is free, a new match begins."""
    guard(request, context)
    require_reason(command.reason)
    if too_late(request, context, "release"):
        return (request,)
    gone = request.worker_id or ""
    after = replace(
        request,
        state=REQUEST.move("release", request.state),
        worker_id=None,
        candidates=(),
        holder=at_station(request, context),
    )
    after = deadline(after, context, "dispatch_hours")
    assert after.holder is not None, "no request without a holder"
    changed: dict[str, Any] = {"": after}
    load: tuple[Any, ...] = ()
    if worker is not None:
        changed["worker"] = let_go(worker, request.id)
        load = (load_changed(changed["worker"], context),)
    told = said.notice(after, "released", after.holder.address())
    return changed, WorkerReleased(worker_id=gone, **said.facts(after, context)), *load, told
