"""A crisis is not an offer: a named person is called at once, must acknowledge, and the clock climbs the tiers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from banyan.contracts.matching import (
    AcknowledgeCrisis,
    ClimbCrisis,
    CrisisAcknowledged,
    CrisisClimbed,
    CrisisPaged,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.refusal import Refused
from services.matching.domain import said
from services.matching.domain.holding import DUTY, OnDuty, deadline, guard, ladder
from services.matching.domain.request import REQUEST, Crisis, Holder, Page, Request

FIRST_CALL, LATER_CALLS = 1, 2


def begin(request: Request, context: Context, on_duty: OnDuty) -> tuple[Any, ...]:
    """Calls the duty person of the nearest tier with a roster; at the last resort all duty officers of the province."""
    tiers = ladder(request.division, context)
    opened = replace(request, crisis=Crisis(since=context.now, tier=tiers[0]))
    return _call(opened, context, on_duty, tiers[0], FIRST_CALL)


def _call(request: Request, context: Context, on_duty: OnDuty, tier: str, people: int) -> tuple[Any, ...]:
    """Pages people of the tier or, where it has no roster, of the next one that has."""
    assert request.crisis is not None, "only a crisis calls"
    tier, accounts = _who(request, context, on_duty, tier, people)
    page = Page(tier=tier, accounts=accounts, at=context.now)
    crisis = replace(request.crisis, tier=tier, pages=(*request.crisis.pages, page))
    named = tuple(a for a in accounts if "@" not in a)
    holder = Holder(account=named[0]) if named else Holder(duty=DUTY, division=tier)
    receivers = tuple(dict.fromkeys((*request.receivers, *named))) if request.protected else request.receivers
    after = replace(request, crisis=crisis, holder=holder, receivers=receivers, due="crisis")
    next_at = _next_call(after, context)
    after = replace(after, due_at=next_at)
    facts = said.facts(after, context)
    event = CrisisPaged(tier=_tier_said(after, tier), people=len(accounts), due_at=next_at, **facts)
    return after, event, *(said.notice(after, "crisis_page", account, urgent=True, tier=tier) for account in accounts)


def _who(request: Request, context: Context, on_duty: OnDuty, tier: str, people: int) -> tuple[str, tuple[str, ...]]:
    """The tier that can answer, from one upward, and whom to call there: never nobody."""
    tiers = ladder(request.division, context)
    rosters = dict(on_duty)
    called = {a for page in (request.crisis.pages if request.crisis else ()) for a in page.accounts}
    for each in tiers[tiers.index(tier) :]:
        fresh = [a for a in rosters.get(each, ()) if a not in called] or list(rosters.get(each, ()))
        if fresh:
            return each, tuple(fresh[:people])
    return tiers[-1], (f"{DUTY}@{tiers[-1]}",)


def _next_call(request: Request, context: Context) -> datetime:
    """When the next tier is called: 5, 10 and 20 minutes after the crisis began, then at a steady interval."""
    assert request.crisis is not None, "only a crisis has calls"
    minutes = context.figure("crisis_climb_minutes", division=request.division)
    if request.crisis.rung < len(minutes):
        since: datetime = request.crisis.since
        return since + timedelta(minutes=minutes[request.crisis.rung])
    return context.now + timedelta(minutes=context.figure("crisis_repeat_minutes", division=request.division))


def _tier_said(request: Request, tier: str) -> str:
    """A tier as events may name it: of a protected request never finer than the county."""
    return said.county_of(tier) if request.protected else tier


@decides(ClimbCrisis, on=Request, key="request_id", facts=("on_duty",))
def climb_crisis(request: Request, command: ClimbCrisis, context: Context, *, on_duty: OnDuty) -> tuple[Any, ...]:
    """Nobody acknowledged in time: two people of the next tier are called; the province keeps being called."""
    crisis = request.crisis
    if crisis is None or crisis.acknowledged_by or request.state in REQUEST.ends:
        raise Refused("no_open_crisis", state=request.state)
    if request.due_at and request.due_at > context.now:
        raise Refused("not_due", due_at=request.due_at.isoformat())
    tiers = ladder(request.division, context)
    at = tiers.index(crisis.tier) if crisis.tier in tiers else len(tiers) - 1
    higher = replace(request, crisis=replace(crisis, rung=crisis.rung + 1))
    after, *told = _call(higher, context, on_duty, tiers[min(at + 1, len(tiers) - 1)], LATER_CALLS)
    climbed = CrisisClimbed(
        from_tier=_tier_said(after, crisis.tier),
        to_tier=_tier_said(after, after.crisis.tier),
        rung=after.crisis.rung,
        **said.facts(after, context),
    )
    return after, climbed, *told


@decides(AcknowledgeCrisis, on=Request, key="request_id")
def acknowledge_crisis(request: Request, command: AcknowledgeCrisis, context: Context) -> tuple[Any, ...]:
    """A duty person takes the crisis and answers for it by name from now on."""
    guard(request, context)
    return acknowledged(replace(request, state=REQUEST.move("acknowledge", request.state)), context)


def acknowledged(request: Request, context: Context) -> tuple[Any, ...]:
    """The crisis in the actor's hands; refuses `no_open_crisis` where there is none, or somebody was first."""
    crisis = request.crisis
    if crisis is None or crisis.acknowledged_by:
        raise Refused("no_open_crisis", acknowledged_by=crisis.acknowledged_by if crisis else None)
    taken = replace(crisis, acknowledged_by=context.actor, acknowledged_at=context.now)
    after = replace(request, crisis=taken, holder=Holder(account=context.actor))
    after = deadline(after, context, "dispatch_hours")
    wait_s = int((context.now - crisis.since).total_seconds())
    tier = _tier_said(after, crisis.tier)
    return after, CrisisAcknowledged(tier=tier, wait_s=wait_s, **said.facts(after, context))
