"""What a reader may see of a request, by role and state: the one place where personal fields are opened."""

from __future__ import annotations

from enum import Enum

import msgspec

from banyan.contracts.matching import OFFICERS
from banyan.contracts.matching_shapes import Contact, HolderView, OfferView, RequestLine, RequestView
from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db
from services.matching.domain import place, said
from services.matching.domain.holding import guard, may_know
from services.matching.domain.request import HELD_BY_WORKER, Holder, Offer, Request
from services.matching.domain.taking import CRISIS
from services.matching.domain.worker import Worker

PERSONAL = ("client_name", "contacts", "story", "address", "spot")
SHOWN_HEAD, SHOWN_TAIL = 3, 4


class Role(Enum):
    """As whom somebody looks at a request."""

    OFFICER = "officer"
    WORKER = "worker"
    ASKED = "asked"
    CLIENT = "client"


def role_of(request: Request, worker: Worker | None, context: Context) -> Role | None:
    """The reader's role, None for a stranger. The serving worker sees names only while the case is the worker's."""
    if worker is not None and worker.is_caller(context):
        if request.worker_id == worker.id and request.state in HELD_BY_WORKER:
            return Role.WORKER
        if request.offer and request.offer.worker_id == worker.id:
            return Role.ASKED
    if context.caller.person and context.caller.person in (request.client_id, request.subject_id):
        return Role.CLIENT
    if context.holds(OFFICERS, request.division, request.field) and may_know(request, context):
        return Role.OFFICER
    return Role.CLIENT if request.taken_by == context.actor else None


def view(db: Db, request: Request, version: int, role: Role, context: Context) -> RequestView:
    """The request as the role may see it; what stands there and is not shown is named in `hidden`."""
    plain = dict.fromkeys(PERSONAL) if role is Role.ASKED else _opened(db, request)
    there = [name for name in PERSONAL if getattr(request, name) is not None]
    hidden = tuple(there) if role is Role.ASKED else ()
    officer = role is Role.OFFICER
    return RequestView(
        id=request.id,
        version=version,
        state=request.state,
        division=said.area_said(request) if role is Role.ASKED else request.division,
        urgency=request.urgency,
        field=request.field,
        client_group=request.client_group,
        functions=request.functions,
        confidentiality=request.confidentiality,
        taken_at=request.taken_at,
        due_at=request.due_at,
        holder=holder_view(request.holder),
        ending=request.ending,
        ended_reason=request.ended_reason if role in (Role.OFFICER, Role.CLIENT) else None,
        client_id=None if role is Role.ASKED else request.client_id,
        client_name=plain["client_name"],
        contacts=_contacts(plain["contacts"], clear=_clear(request, role, context)),
        story=plain["story"],
        address=plain["address"],
        point=place.opened(plain["spot"]) or (None if role is Role.ASKED else request.point),
        worker_id=request.worker_id,
        call_first=tuple(context.figure("crisis_numbers")) if request.urgency >= CRISIS else (),
        candidates=request.candidates if officer else (),
        offers=tuple(offer_view(offer) for offer in request.offers) if officer else (),
        overrides=request.overrides,
        hidden=hidden,
    )


def _opened(db: Db, request: Request) -> dict[str, str | None]:
    """The private fields in the clear; the audit trail notes each."""
    return {name: db.open(request, name) for name in PERSONAL}


def _clear(request: Request, role: Role, context: Context) -> bool:
    """Whether phones are shown whole: to the client, the serving worker, and the officer who holds the case by name."""
    holds = request.holder is not None and request.holder.account == context.actor
    return role in (Role.CLIENT, Role.WORKER) or holds


def _contacts(text: str | None, *, clear: bool) -> tuple[Contact, ...]:
    given = msgspec.json.decode(text, type=tuple[Contact, ...]) if text else ()
    return given if clear else tuple(msgspec.structs.replace(c, phone=masked(c.phone)) for c in given)


def masked(phone: str | None) -> str | None:
    """138****1234: enough to recognise a number, not to call it."""
    if phone is None:
        return None
    digits = phone.removeprefix("+86")
    if len(digits) <= SHOWN_HEAD + SHOWN_TAIL:
        return "****"
    return f"{digits[:SHOWN_HEAD]}****{digits[-SHOWN_TAIL:]}"


def holder_view(holder: Holder | None) -> HolderView | None:
    """Who answers for a request, as a contract's shape."""
    if holder is None:
        return None
    return HolderView(duty=holder.duty, division=holder.division, account=holder.account, worker_id=holder.worker_id)


def offer_view(offer: Offer) -> OfferView:
    """An offer as it was given, as a contract's shape."""
    names = set(OfferView.__struct_fields__) - {"terms"}
    given = {name: getattr(offer, name) for name in names}
    return OfferView(terms=offer.candidate.terms if offer.candidate else (), **given)


def line(request: Request) -> RequestLine:
    """One line of a list: no name, no address."""
    names = set(RequestLine.__struct_fields__) - {"holder"}
    return RequestLine(holder=holder_view(request.holder), **{name: getattr(request, name) for name in names})


def cell(request: Request) -> str | None:
    """The 1 km cell shown before acceptance; nothing for a protected request."""
    return None if request.protected else place.cell(request.point)


def known_request(db: Db, request_id: str, context: Context) -> Request:
    """A request in the officer's reach; refuses `not_found` otherwise, for a protected one too."""
    request = db.require(Request, request_id)
    guard(request, context)
    return request
