"""Lists and counts within an officer's reach; a protected request shows to those who may know and counts for others."""

from __future__ import annotations

from typing import Any

from banyan.contracts import matching as m
from banyan.contracts import matching_shapes as shapes
from banyan.kernel.context import Context
from banyan.kernel.divisions import level, prefix
from banyan.runtime.commands.store import Db, answers
from services.matching import sight
from services.matching.domain import said
from services.matching.domain.holding import may_count, may_know
from services.matching.domain.request import Request
from services.matching.domain.said import FINE
from services.matching.domain.taking import CRISIS

MOST = 500
OPEN = "state not in ('followed_up', 'closed')"
PROTECTED = "confidentiality = 'protected'"


def conditions(db: Db, division: str | None) -> tuple[list[str], dict[str, Any]]:
    """What every list and count begins with: the caller's reach, a division within it, and without those protected
    requests that are not even a number to the caller."""
    parts: list[str] = [db.jurisdiction("division", "field")]
    asked: dict[str, Any] = {}
    if division:
        parts.append("division like %(division)s")
        asked["division"] = f"{prefix(division)}%"
    protected = db.records(Request, " and ".join([*parts, PROTECTED]), asked) if _near(db.context, division) else []
    untold = [r.id for r in protected if not may_know(r, db.context) and not may_count(r, division, db.context)]
    if untold:
        parts.append("id <> all(%(untold)s)")
        asked["untold"] = untold
    return parts, asked


def _near(context: Context, division: str | None) -> bool:
    """Whether a town or village is asked for, or all that one of the caller's grants reaches."""
    asked = [division] if division else [g.division for g in context.caller.grants if g.duty in context.may]
    return any(level(code) in FINE for code in asked)


def _apart(requests: list[Request], context: Context) -> tuple[list[Request], int]:
    """Those that the caller may know of, and how many others there are."""
    known = [request for request in requests if may_know(request, context)]
    return known, len(requests) - len(known)


@answers(m.Requests)
def requests(query: m.Requests, context: Context, db: Db) -> shapes.RequestPage:
    """A page by the order in which requests were taken; `not_shown` counts the protected ones on the way."""
    parts, asked = conditions(db, query.division)
    limit = min(max(query.limit, 1), MOST)
    if query.states:
        parts.append("state = any(%(states)s)")
        asked["states"] = list(query.states)
    if query.urgency is not None:
        parts.append("urgency = %(urgency)s")
        asked["urgency"] = query.urgency
    if query.after:
        parts.append("id > %(after)s")
        asked["after"] = query.after
    found = db.records(Request, f"{' and '.join(parts)} order by id limit {limit + 1}", asked)
    page = found[:limit]
    known, not_shown = _apart(page, context)
    next = page[-1].id if len(found) > limit else None
    return shapes.RequestPage(items=tuple(sight.line(request) for request in known), next=next, not_shown=not_shown)


@answers(m.CrisisBoard)
def crisis_board(query: m.CrisisBoard, context: Context, db: Db) -> shapes.Crises:
    """Open crises, unacknowledged first, longest waiting first."""
    parts, asked = conditions(db, None)
    where = f"{' and '.join(parts)} and urgency = {CRISIS} and {OPEN} order by taken_at limit {MOST}"
    known, not_shown = _apart(db.records(Request, where, asked), context)
    items = [_crisis(request) for request in known if request.crisis]
    items.sort(key=lambda crisis: (crisis.acknowledged_at is not None, crisis.taken_at))
    return shapes.Crises(call_first=tuple(context.figure("crisis_numbers")), items=tuple(items), not_shown=not_shown)


def _crisis(request: Request) -> shapes.Crisis:
    crisis = request.crisis
    assert crisis is not None, "only a crisis stands on the board"
    return shapes.Crisis(
        request_id=request.id,
        division=said.area_said(request),
        taken_at=request.taken_at,
        tier=crisis.tier,
        rung=crisis.rung,
        due_at=request.due_at,
        pages=tuple(shapes.PageView(tier=p.tier, accounts=p.accounts, at=p.at) for p in crisis.pages),
        acknowledged_by=crisis.acknowledged_by,
        acknowledged_at=crisis.acknowledged_at,
    )


@answers(m.Endings)
def endings(query: m.Endings, context: Context, db: Db) -> shapes.EndingCounts:
    """How requests ended within the caller's reach; counts only, so protected ones are in, from the county upward."""
    parts, asked = conditions(db, query.division)
    where = " and ".join(parts)
    rows = db.rows(f"select ending, count(*) from request where {where} group by ending", asked)
    by_ending = {ending: count for ending, count in rows if ending is not None}
    counted = "coalesce(sum((body ->> 'overrides')::int), 0)"
    lost = f"count(*) filter (where {OPEN} and holder is null)"
    overrides, without = db.rows(f"select {counted}, {lost} from request where {where}", asked)[0]
    open = next((count for ending, count in rows if ending is None), 0)
    return shapes.EndingCounts(endings=by_ending, open=open, overrides=int(overrides), without_holder=without)
