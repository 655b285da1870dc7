"""Who answers for a request: the ladder of tiers above it, its holder, its next instant, and who may know of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    AliasClient,
    BreakGlass,
    ClientAliased,
    ClimbRequest,
    GlassBroken,
    HandOver,
    HolderChanged,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.divisions import ancestors, level
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from services.matching.domain import said
from services.matching.domain.request import HELD_BY_WORKER, REQUEST, Glass, Holder, Request

DUTY, LEAD = "duty_officer", "station_lead"


OnDuty = Sequence[tuple[str, tuple[str, ...]]]
"""Who is on the roster today: (tier, accounts in the order they are called), nearest tier first."""


def ladder(division: str, context: Context) -> tuple[str, ...]:
    """The tiers that answer for a place, nearest first: town (a village has none), county, city, province."""
    known = context.divisions.line(division, context.today) if context.divisions else ()
    line = known or (division, *ancestors(division))
    tiers = tuple(code for code in line if level(code) != "village")
    return tiers or line


def above(tier: str, request: Request, context: Context) -> str:
    """The tier above one, the province above itself."""
    tiers = ladder(request.division, context)
    return tiers[min(tiers.index(tier) + 1, len(tiers) - 1)] if tier in tiers else tiers[-1]


def at_station(request: Request, context: Context, duty: str = LEAD) -> Holder:
    """The duty at the nearest tier. A protected request goes to the county at least, away from neighbours."""
    tiers = ladder(request.division, context)
    far = [code for code in tiers if level(code) != "town"] if request.protected else list(tiers)
    return Holder(duty=duty, division=far[0])


def deadline(request: Request, context: Context, figure: str) -> Request:
    """The request with its next instant: hours by urgency (a figure, a list of four), then it climbs."""
    hours = context.figure(figure, division=request.division)[request.urgency]
    return replace(request, due_at=context.now + timedelta(hours=hours), due="climb")


def is_receiver(request: Request, context: Context) -> bool:
    """Whether the caller is a named receiver, the named holder, or looks through a glass broken in time."""
    named = {request.holder.account if request.holder else None, *request.receivers}
    through = any(g.account == context.actor and g.until > context.now for g in request.glass)
    return bool({context.actor, context.caller.person} & named - {None}) or through


def may_know(request: Request, context: Context) -> bool:
    """An unprotected request: all whom the frame let in. A protected one: receivers, the system, and, only while a duty
    and no person holds it, those who have that duty there."""
    if not request.protected or is_receiver(request, context) or is_system(context):
        return True
    holder = request.holder
    return holder is not None and bool(holder.duty) and context.holds((str(holder.duty),), str(holder.division))


def may_count(request: Request, asked: str | None, context: Context) -> bool:
    """Whether a request is a number to a caller who may not know of it. A protected one counts from the county upward
    only, for what is asked and for the grant alike: in a town or village a number would point at a family."""
    if not request.protected:
        return True
    grants = [g for g in context.caller.grants if g.duty in context.may and level(g.division) not in said.FINE]
    near = asked is not None and level(asked) in said.FINE
    return not near and any(context.reaches(g, request.division, request.field) for g in grants)


def is_system(context: Context) -> bool:
    """Whether our own reactions or schedules act."""
    return context.actor.startswith("system:")


def too_late(request: Request, context: Context, move: str) -> bool:
    """Whether our own reaction comes after somebody else has already moved the request on; then it changes nothing."""
    return is_system(context) and move not in REQUEST.possible(request.state)


def guard(request: Request, context: Context) -> None:
    """Refuses `not_found` to whoever may not know of the request; no answer depends on whether it exists."""
    if context.own_only or not may_know(request, context):
        raise Refused("not_found")


def require_reason(reason: str) -> str:
    """The reason, which must say something; refuses `reason_missing`."""
    if not reason.strip():
        raise Refused("reason_missing")
    return reason


@decides(ClimbRequest, on=Request, key="request_id", facts=("on_duty",))
def climb_request(request: Request, command: ClimbRequest, context: Context, *, on_duty: OnDuty) -> tuple[Any, ...]:
    """What was not done in time goes a tier up; a worker keeps the case, and the station is told."""
    if request.state in REQUEST.ends or request.state == "dispatched":
        raise Refused("wrong_state", machine="request", move="climb", state=request.state)
    request, told = _remind_of_report(request, context)
    if request.due_at is None or request.due_at > context.now or request.due != "climb":
        if not told:
            raise Refused("not_due", due_at=str(request.due_at))
        return request, *told
    if request.state in HELD_BY_WORKER:
        station = at_station(request, context)
        return deadline(request, context, "overdue_hours"), *told, said.notice(request, "overdue", station.address())
    return _climbed(request, context, on_duty, told)


def _climbed(request: Request, context: Context, on_duty: OnDuty, told: tuple[Notice, ...]) -> tuple[Any, ...]:
    """The next tier's duty officers hold it now; a protected one goes to one of them by name where one is on duty."""
    holder = request.holder
    here = holder.division if holder and holder.division else None
    tier = above(here, request, context) if here else at_station(request, context).division or request.division
    person = next((people[0] for at, people in on_duty if at == tier and people), None) if request.protected else None
    up = replace(
        deadline(request, context, "overdue_hours"),
        holder=Holder(account=person) if person else Holder(duty=DUTY, division=tier),
        receivers=tuple(dict.fromkeys((*request.receivers, person))) if person else request.receivers,
    )
    assert up.holder is not None, "no request without a holder"
    return up, _changed(up, context), *told, said.notice(up, "overdue", up.holder.address(), tier=tier)


def _remind_of_report(request: Request, context: Context) -> tuple[Request, tuple[Notice, ...]]:
    """An overdue mandatory report is recalled to the holder and the county, again each day."""
    report = request.report
    if report is None or report.receipt or report.due_at > context.now:
        return request, ()
    later = replace(report, due_at=context.now + timedelta(days=1))
    to = {request.holder.address() if request.holder else "", f"{DUTY}@{said.county_of(request.division)}"} - {""}
    return replace(request, report=later), tuple(
        said.notice(request, "report_overdue", t, urgent=True) for t in sorted(to)
    )


def _changed(request: Request, context: Context) -> HolderChanged:
    holder = request.holder or Holder(duty=DUTY, division=request.division)
    word = holder.duty or ("account" if holder.account else "worker")
    return HolderChanged(holder=word, holder_division=holder.division or "", **said.facts(request, context))


@decides(HandOver, on=Request, key="request_id")
def hand_over(request: Request, command: HandOver, context: Context) -> tuple[Any, ...]:
    """A case goes to another duty, division or account: competence moved, or a person left."""
    guard(request, context)
    if request.state in REQUEST.ends or request.state in HELD_BY_WORKER:
        raise Refused("wrong_state", machine="request", move="hand_over", state=request.state)
    holder = (
        Holder(account=command.account) if command.account else Holder(duty=command.duty, division=command.division)
    )
    named = (*request.receivers, command.account) if command.account and request.protected else request.receivers
    after = replace(request, holder=holder, receivers=tuple(n for n in dict.fromkeys(named) if n))
    return after, _changed(after, context), said.notice(after, "handed_over", holder.address())


@decides(BreakGlass, on=Request, key="request_id")
def break_glass(request: Request, command: BreakGlass, context: Context) -> tuple[Any, ...]:
    """To save a life one may look without a standing right, for a stated time, and the county is told at once."""
    require_reason(command.reason)
    minutes = context.figure("break_glass_minutes", division=request.division)
    glass = Glass(
        account=context.actor, reason=command.reason, at=context.now, until=context.now + timedelta(minutes=minutes)
    )
    after = replace(request, glass=(*request.glass, glass))
    county = f"{DUTY}@{said.county_of(request.division)}"
    told = said.notice(after, "glass_broken", county, urgent=True, account=context.actor)
    return after, GlassBroken(account=context.actor, **said.facts(request, context)), told


@decides(AliasClient, on=Request, key="request_id")
def alias_client(request: Request, command: AliasClient, context: Context) -> tuple[Any, ...]:
    """After a merge the surviving id stands; what was sealed stays under the id that it was written for."""
    return replace(request, client_id=command.client_id), ClientAliased(**said.facts(request, context))
