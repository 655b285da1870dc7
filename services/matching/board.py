"""The duty board 值班看板: what needs a person now within an officer's reach, most urgent first, and who is on duty."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from banyan.contracts import matching as m
from banyan.contracts import matching_shapes as shapes
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.matching import sight
from services.matching.domain import said
from services.matching.domain.holding import ladder, may_know
from services.matching.domain.request import Request
from services.matching.domain.roster import Roster
from services.matching.domain.taking import CRISIS
from services.matching.lists import OPEN, PROTECTED, conditions
from services.matching.tables import UNSENT, WITH_DUTY

OWN_FIGURE = (
    "(select (value ->> urgency::int)::bigint from jsonb_to_recordset(%({0})s::jsonb) as area (begins text, place int, value jsonb)"
    " where starts_with(division, begins) order by place limit 1)"
)
STARTED_BY = f"iso_instant(body #>> '{{accepted_at}}') + {OWN_FIGURE.format('start_hours')} * interval '1 hour'"
SOON = f"%(now)s + {OWN_FIGURE.format('board_soon_minutes')} * interval '1 minute'"
KINDS = {
    "crisis": (f"urgency = {CRISIS} and {OPEN} and due = 'crisis'", "taken_at", "due_at"),
    "mine": (f"holder_account = %(account)s and {UNSENT} and due <> 'crisis'", "taken_at", "due_at"),
    "held": (f"{WITH_DUTY} and due <> 'crisis'", "taken_at", "due_at"),
    "report_open": (f"report_due_at is not null and report_receipt is null and {OPEN}", "taken_at", "report_due_at"),
    "start_overdue": (f"state = 'accepted' and {STARTED_BY} <= %(now)s", STARTED_BY, STARTED_BY),
    "offer_ending": (f"state = 'dispatched' and due = 'expire' and {OPEN} and due_at <= {SOON}", "due_at", "due_at"),
}
"""kind → (condition, what it is sorted by within its urgency, when it is due); most urgent kind first."""
KEY = "band, calm, at, id"
BEFORE_ALL = "-1|0|1970-01-01T00:00:00+00:00|"


@answers(m.DutyBoard)
def duty_board(query: m.DutyBoard, context: Context, db: Db) -> shapes.Board:
    """A page of the board. A protected case is listed for those who may know of it and is a number for all others."""
    if query.division and not context.holds(query.may, query.division):
        raise Refused("not_found", division=query.division)
    board, asked = _board(query, context, db)
    counts = dict.fromkeys(KINDS, 0) | dict(db.rows(f"{board} select kind, count(*) from board group by kind", asked))
    unknown = _unknown(board, asked, context, db)
    many = f"{board} select count(*) from board where id = any(%(unknown)s)"
    not_shown = db.rows(many, asked | {"unknown": unknown})[0][0] if unknown else 0
    rows = db.rows(
        f"{board} select {KEY}, kind, due from board where id <> all(%(unknown)s) and ({KEY}) >"
        f" (%(after_band)s, %(after_calm)s, %(after_at)s, %(after_id)s) order by {KEY} limit %(limit)s",
        asked | {"unknown": unknown, "limit": query.limit + 1} | _after(query.after),
    )
    page = rows[: query.limit]
    found = db.records(Request, "id = any(%(ids)s)", {"ids": [row[3] for row in page]})
    requests = {request.id: request for request in found}
    return shapes.Board(
        at=context.now,
        call_first=tuple(context.figure("crisis_numbers")),
        counts=counts,
        not_shown=not_shown,
        items=tuple(item(kind, requests[id], due, context) for *_, id, kind, due in page),
        on_duty=_on_duty(query, context, db),
        next=_cursor(*page[-1][:4]) if len(rows) > query.limit else None,
    )


def _board(query: m.DutyBoard, context: Context, db: Db) -> tuple[str, dict[str, Any]]:
    """The statement's beginning that names the board, and its parameters."""
    parts, asked = conditions(db, query.division)
    within = " and ".join(parts)
    arms = (
        f"select {band} as band, {CRISIS} - urgency as calm, {at} as at, id, '{kind}' as kind, {due} as due, {PROTECTED} as hidden"
        f" from request where {condition} and {within}"
        for band, (kind, (condition, at, due)) in enumerate(KINDS.items())
    )
    asked |= {
        "now": context.now,
        "account": context.actor,
        **{name: _by_area(name, context) for name in ("board_soon_minutes", "start_hours")},
    }
    return f"with board as ({' union all '.join(arms)})", asked


def _by_area(name: str, context: Context) -> str:
    """A figure by urgency for `OWN_FIGURE`: each request's own division decides, not the one that is asked for."""
    rows = enumerate(context.policy.by_area(name, context.today))
    return json.dumps([{"begins": begins, "place": place, "value": value} for place, (begins, value) in rows])


def _unknown(board: str, asked: dict[str, Any], context: Context, db: Db) -> list[str]:
    """The protected requests on the board that the caller may not know of."""
    protected = db.records(Request, f"id in ({board} select id from board where hidden)", asked)
    return [request.id for request in protected if not may_know(request, context)]


def item(kind: str, request: Request, due: datetime, context: Context) -> shapes.BoardItem:
    """One line of the board; no name, no address."""
    crisis = request.crisis if kind == "crisis" else None
    tiers = ladder(request.division, context)
    up = tiers[min(tiers.index(crisis.tier) + 1, len(tiers) - 1)] if crisis and crisis.tier in tiers else None
    return shapes.BoardItem(
        kind=kind,
        request_id=request.id,
        division=said.area_said(request),
        state=request.state,
        urgency=request.urgency,
        field=request.field,
        taken_at=request.taken_at,
        age_min=_minutes(context.now - request.taken_at),
        due_at=due,
        due_in_min=_minutes(due - context.now),
        holder=sight.holder_view(request.holder),
        worker_id=request.offer.worker_id if request.offer else request.worker_id,
        tier=crisis.tier if crisis else None,
        rung=crisis.rung if crisis else None,
        next_tier=up,
    )


def _minutes(span: timedelta) -> int:
    """Whole minutes, rounded down."""
    return span // timedelta(minutes=1)


def _on_duty(query: m.DutyBoard, context: Context, db: Db) -> tuple[shapes.TierOnDuty, ...]:
    """Every tier from the asked division, or from each of the caller's own, up to the province."""
    own = [g.division for g in context.caller.grants if g.duty in query.may and context.reaches(g, g.division)]
    tiers = dict.fromkeys(
        tier for place in ([query.division] if query.division else own) for tier in ladder(place, context)
    )
    rosters = {r.division: r for r in db.records(Roster, "division = any(%(tiers)s)", {"tiers": list(tiers)})}
    nobody = Roster(id="", division="", turns=())
    return tuple(_tier(tier, rosters.get(tier, nobody), context) for tier in tiers)


def _tier(division: str, roster: Roster, context: Context) -> shapes.TierOnDuty:
    change = roster.next_change(context.today)
    return shapes.TierOnDuty(
        division=division,
        accounts=roster.on_duty(context.today),
        changes_on=change,
        then=roster.on_duty(change) if change else (),
    )


def _cursor(band: int, calm: int, at: datetime, id: str) -> str:
    return f"{band}|{calm}|{at.isoformat()}|{id}"


def _after(cursor: str | None) -> dict[str, Any]:
    """Where the last page ended; refuses `bad_input` for what is no cursor of this board."""
    try:
        band, calm, at, id = (cursor or BEFORE_ALL).split("|")
        return {"after_band": int(band), "after_calm": int(calm), "after_at": _instant(at), "after_id": id}
    except ValueError:
        raise Refused("bad_input", field="after", detail="not a cursor of this board") from None


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("an instant has its zone")
    return found
