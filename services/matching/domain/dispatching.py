"""Who is sent 派单: candidates proposed with every term, one worker asked at a time, and what becomes of the notice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    ConfirmDelivery,
    ConfirmDispatch,
    DeliveryFailed,
    DispatchNext,
    DispatchOverridden,
    FailDelivery,
    NobodyFound,
    OfferDelivered,
    OfferMade,
    OverrideDispatch,
    ProposeWorkers,
    WorkersProposed,
)
from banyan.contracts.matching_shapes import Ranked
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing, said
from services.matching.domain.holding import DUTY, at_station, deadline, guard, is_system, require_reason, too_late
from services.matching.domain.request import REQUEST, Holder, Offer, Request, candidate_workers
from services.matching.domain.taking import CRISIS, dispatches_directly
from services.matching.domain.worker import Worker, ask, load_changed

URGENT = 2
UNKNOWN_RANK = 0


@decides(ProposeWorkers, on=Request, key="request_id", facts=("ranked",))
def propose_workers(
    request: Request, command: ProposeWorkers, context: Context, *, ranked: Sequence[Ranked]
) -> tuple[Any, ...]:
    """Stores the best workers with every term of their scores. Nobody fits: the duty officer answers for it."""
    guard(request, context)
    if too_late(request, context, "propose") or (is_system(context) and request.urgency >= CRISIS):
        return (request,)
    _not_in_crisis(request)
    if not ranked:
        return nobody_found(request, context)
    direct = dispatches_directly(request, context)
    after = replace(
        request,
        state=REQUEST.move("propose", request.state),
        candidates=tuple(ranked),
        direct=direct,
        table=pairing.table_version(),
        policy=context.policy.version,
    )
    after = deadline(after, context, "dispatch_hours")
    ids = () if request.protected else tuple(c.worker_id for c in ranked)
    event = WorkersProposed(worker_ids=ids, table=after.table, direct=direct, **said.facts(after, context))
    assert after.holder is not None, "no request without a holder"
    told = () if direct else (said.notice(after, "proposed", after.holder.address()),)
    return after, event, *told


def nobody_found(request: Request, context: Context) -> tuple[Any, ...]:
    """No fitting worker is left: the duty officer holds the request, which climbs from there. A protected one stays
    with whoever is named."""
    station = at_station(request, context, DUTY)
    named = request.holder is not None and request.holder.account is not None
    holder = request.holder if request.protected and named else station
    after = replace(request, state=REQUEST.move("find_nobody", request.state), holder=holder, candidates=())
    after = deadline(after, context, "dispatch_hours")
    event = NobodyFound(asked=len(request.asked), **said.facts(after, context))
    return after, event, said.notice(after, "nobody_found", (holder or station).address())


def _not_in_crisis(request: Request) -> None:
    """A crisis is not offered round: ranking only advises, and a duty person speaks with the worker."""
    if request.urgency >= CRISIS:
        raise Refused("crisis_is_no_offer", request_id=request.id)


@decides(ConfirmDispatch, on=Request, key="request_id", also={"worker": (Worker, "worker_id")})
def confirm_dispatch(
    request: Request, command: ConfirmDispatch, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """The station lead confirms one of the proposed workers; anyone else is an override, with a reason."""
    guard(request, context)
    if command.worker_id not in candidate_workers(request, command):
        raise Refused("not_proposed", worker_id=command.worker_id)
    return offer_to(pairing.require_fit(worker, request, context), request, context)


@decides(DispatchNext, on=Request, key="request_id", also={"workers": (Worker, candidate_workers)})
def dispatch_next(
    request: Request, command: DispatchNext, context: Context, *, workers: Sequence[Worker]
) -> tuple[Any, ...]:
    """The best proposed worker for whom every hard rule still holds is asked; without one the duty officer is told."""
    guard(request, context)
    if too_late(request, context, "dispatch") or (is_system(context) and request.urgency >= CRISIS):
        return (request,)
    _not_in_crisis(request)
    REQUEST.move("dispatch", request.state)
    on_call = {worker.id: worker for worker in workers}
    in_order = (on_call[id] for id in candidate_workers(request, command) if id in on_call)
    fit = next((w for w in in_order if not pairing.broken(w, request, context)), None)
    return offer_to(fit, request, context) if fit else nobody_found(request, context)


@decides(OverrideDispatch, on=Request, key="request_id", also={"worker": (Worker, "worker_id")})
def override_dispatch(
    request: Request, command: OverrideDispatch, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """An officer sends another worker than the ranking would, with a reason that is kept and counted."""
    guard(request, context)
    first = next(iter(candidate_workers(request, command)), None)
    fit = pairing.require_fit(worker, request, context)
    after, *events = offer_to(fit, request, context, override_reason=require_reason(command.reason))
    counted = replace(after[""], overrides=request.overrides + 1)
    instead_of = None if request.protected else first
    over = DispatchOverridden(worker_id=fit.id, instead_of=instead_of, **said.facts(request, context))
    return {"": counted, "worker": after["worker"]}, over, *events


def offer_to(
    worker: Worker,
    request: Request,
    context: Context,
    *,
    override_reason: str | None = None,
    candidate: Ranked | None = None,
) -> tuple[Any, ...]:
    """The worker is asked: the offer with its explanation, the worker's load, and the notice that starts the clock."""
    _not_in_crisis(request)
    candidate = candidate or next((c for c in request.candidates if c.worker_id == worker.id), None)
    if candidate is None:
        candidate = pairing.as_ranked(pairing.explain(worker, request, context), UNKNOWN_RANK)
    offer = Offer(
        worker_id=worker.id,
        notify=worker.notify,
        made_at=context.now,
        made_by=context.actor,
        rank=candidate.rank,
        score=candidate.score,
        candidate=candidate,
        table=pairing.table_version(),
        policy=context.policy.version,
        override_reason=override_reason,
    )
    state = REQUEST.move("dispatch", request.state)
    due_at = context.now + _delivery_time(request, context)
    after = replace(request, state=state, offers=(*request.offers, offer), due="deliver", due_at=due_at)
    asked = ask(worker, request.id)
    made = OfferMade(worker_id=worker.id, rank=offer.rank, score=offer.score, **said.facts(after, context))
    told = _offer_notice(after, offer, context)
    return {"": after, "worker": asked}, made, load_changed(asked, context), told


def _offer_notice(request: Request, offer: Offer, context: Context) -> Notice:
    channel = context.figure("notice_channels", division=request.division)[offer.channel]
    urgent = request.urgency >= URGENT
    return said.notice(request, "offer", offer.notify, urgent=urgent, worker=offer.worker_id, channel=channel)


def _delivery_time(request: Request, context: Context) -> timedelta:
    minutes = context.figure("delivery_minutes", division=request.division)
    return timedelta(minutes=minutes[request.urgency])


def offer_life(request: Request, context: Context) -> timedelta:
    """How long a worker may think: by urgency, from delivery on."""
    name = "offer_hours_urgent" if request.urgency >= URGENT else "offer_hours_normal"
    return timedelta(hours=context.figure(name, division=request.division))


@decides(ConfirmDelivery, on=Request, key="request_id")
def confirm_delivery(request: Request, command: ConfirmDelivery, context: Context) -> tuple[Any, ...]:
    """The notice arrived: from now on the worker's time runs. A second receipt changes nothing."""
    offer = request.offer
    if offer is None or offer.worker_id != command.worker_id:
        raise Refused("no_open_offer")
    if offer.delivered_at:
        return (request,)
    return _delivered(request, offer, context, command.receipt)


def _delivered(request: Request, offer: Offer, context: Context, receipt: str) -> tuple[Any, ...]:
    expires_at: datetime = context.now + offer_life(request, context)
    given = replace(offer, delivered_at=context.now, receipt=receipt, expires_at=expires_at)
    after = replace(request, offers=(*request.offers[:-1], given), due_at=expires_at, due="expire")
    facts = said.facts(after, context)
    return after, OfferDelivered(worker_id=offer.worker_id, expires_at=expires_at, **facts)


@decides(FailDelivery, on=Request, key="request_id")
def fail_delivery(request: Request, command: FailDelivery, context: Context) -> tuple[Any, ...]:
    """The notice did not arrive in time: the next channel; after the last the holder tells the worker."""
    offer = request.offer
    if offer is None or request.due != "deliver":
        raise Refused("no_open_offer")
    if request.due_at and request.due_at > context.now and not command.certain:
        raise Refused("not_due", due_at=request.due_at.isoformat())
    channels = context.figure("notice_channels", division=request.division)
    facts = said.facts(request, context)
    if offer.channel + 1 < len(channels):
        again = replace(offer, channel=offer.channel + 1)
        after = replace(
            request, offers=(*request.offers[:-1], again), due_at=context.now + _delivery_time(request, context)
        )
        failed = DeliveryFailed(worker_id=offer.worker_id, channel=channels[again.channel], **facts)
        return after, failed, _offer_notice(after, again, context)
    after, delivered = _delivered(request, offer, context, "")
    holder = request.holder or Holder(duty=DUTY, division=request.division)
    told = said.notice(after, "tell_worker", holder.address(), urgent=True, worker=offer.worker_id)
    return after, DeliveryFailed(worker_id=offer.worker_id, channel="duty_person", **facts), delivered, told
