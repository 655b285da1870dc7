"""How a request ends without service or before its close: an actor, a reason, and the worker free."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    ClientErased,
    CloseRequest,
    EraseClient,
    LinkDuplicate,
    ReferRequest,
    RequestClosed,
    WithdrawRequest,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import DestroyKey
from banyan.kernel.refusal import Refused
from services.matching.domain import place, said
from services.matching.domain.client import UNREGISTERED
from services.matching.domain.holding import guard, is_system, may_know, require_reason
from services.matching.domain.request import REQUEST, Request, bound_worker
from services.matching.domain.worker import Worker, let_go, load_changed

WITHDRAWN, REFERRED, DUPLICATE, ERASED = "withdrawn", "referred", "duplicate", "client_erased"
BY_OFFICER = ("unreachable", "out_of_scope", "moved", "died", "advice_only")
BOUND = {"worker": (Worker, bound_worker)}
PRIVATE = ("client_name", "contacts", "story", "triage_note", "follow_up_note", "address", "spot", "point")


def _closed(
    request: Request, worker: Worker | None, context: Context, ending: str, reason: str, **more: str
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The request with its ending, an open offer closed with it, and the worker's place free."""
    offers = request.offers
    if request.offer:
        offers = (*offers[:-1], replace(request.offer, answer="closed", answered_at=context.now, reason=ending))
    after = replace(
        request,
        state=REQUEST.move("close", request.state),
        ending=ending,
        ended_by=context.actor,
        ended_reason=require_reason(reason),
        ended_at=context.now,
        holder=None,
        due_at=None,
        offers=offers,
        point=place.ended(request.point),
        **more,
    )
    event = RequestClosed(
        ending=ending, served=request.started_at is not None, worker_id=request.worker_id, **said.facts(after, context)
    )
    told = (said.notice(after, "closed", worker.notify),) if worker and request.id in _bound(worker) else ()
    if worker is None or request.id not in _bound(worker):
        return {"": after}, (event,)
    free = let_go(worker, request.id)
    return {"": after, "worker": free}, (event, load_changed(free, context), *told)


def _bound(worker: Worker) -> tuple[str, ...]:
    return (*worker.offered, *worker.accepted)


@decides(WithdrawRequest, on=Request, key="request_id", also=BOUND)
def withdraw_request(
    request: Request, command: WithdrawRequest, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """Whoever asked, or the client, takes the request back; an officer may on their word."""
    own = context.actor == request.taken_by or (request.client_id and context.caller.person == request.client_id)
    if not own and (context.own_only or not may_know(request, context)):
        raise Refused("not_found")
    changed, events = _closed(request, worker, context, WITHDRAWN, command.reason)
    return changed, *events


@decides(ReferRequest, on=Request, key="request_id", also=BOUND)
def refer_request(
    request: Request, command: ReferRequest, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """Another body takes over, and its receipt proves it; without one the request stays where it is."""
    guard(request, context)
    if not command.receipt.strip() or not command.to.strip():
        raise Refused("receipt_missing")
    more = {"referred_to": command.to, "referral_receipt": command.receipt}
    changed, events = _closed(request, worker, context, REFERRED, command.reason, **more)
    return changed, *events


@decides(CloseRequest, on=Request, key="request_id", also=BOUND)
def close_request(
    request: Request, command: CloseRequest, context: Context, *, worker: Worker | None
) -> tuple[Any, ...]:
    """Unreachable, out of scope, moved, died or advice only, with the officer's reason."""
    guard(request, context)
    if command.ending not in BY_OFFICER:
        raise Refused("bad_input", field="ending", detail=", ".join(BY_OFFICER))
    changed, events = _closed(request, worker, context, command.ending, command.reason)
    return changed, *events


@decides(LinkDuplicate, on=Request, key="request_id", also=BOUND | {"other": (Request, "same_as")})
def link_duplicate(
    request: Request, command: LinkDuplicate, context: Context, *, worker: Worker | None, other: Request | None
) -> tuple[Any, ...]:
    """The same matter was taken twice: this one ends, the other, open and known to the officer, goes on."""
    guard(request, context)
    if other is None or other.id == request.id or not may_know(other, context):
        raise Refused("not_found")
    if other.state in REQUEST.ends:
        raise Refused("wrong_state", machine="request", move="link_duplicate", state=other.state)
    changed, events = _closed(request, worker, context, DUPLICATE, command.reason, same_as=other.id)
    return changed, *events


@decides(EraseClient, on=Request, key="request_id", also=BOUND)
def erase_client(request: Request, command: EraseClient, context: Context, *, worker: Worker | None) -> tuple[Any, ...]:
    """What identifies the client goes, with all that was typed of the case; the key is destroyed, the case's course stays,
    and an open case ends with it.
    Refuses `erase_in_registry` to an officer where the client is a registered person, whose erasure begins there."""
    if not is_system(context):
        require_reason(command.reason)
        if not request.subject_id.startswith(f"{UNREGISTERED}-"):
            raise Refused("erase_in_registry")
    changed: dict[str, Any] = {"": request}
    events: tuple[Any, ...] = ()
    if request.state not in REQUEST.ends:
        changed, events = _closed(request, worker, context, WITHDRAWN, ERASED)
    blank: dict[str, Any] = dict.fromkeys(PRIVATE)
    changed[""] = replace(
        changed[""],
        **blank,
        client_id=None,
        household_id=None,
        erased_on=context.today,
        ended_reason=ERASED,
        offers=tuple(replace(offer, reason=None, override_reason=None) for offer in changed[""].offers),
        glass=tuple(replace(broken, reason="") for broken in request.glass),
    )
    gone = ClientErased(**said.facts(request, context))
    return changed, *events, gone, DestroyKey(person_id=request.subject_id)
