"""The duty board 值班看板: what needs a person now within an officer's reach, most urgent first, and who is on duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

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

KINDS = ("crisis", "mine", "held", "report_open", "start_overdue", "offer_ending")
"""The bands of the board, the most urgent first."""
KEY = "band, calm, at, id"
BEFORE_ALL = "-1|0|1970-01-01T00:00:00+00:00|"
LINES = f"""
select band, 0, %(now)s::timestamptz, '', null, null, count(*) from board group by band
union all select {KEY}, due, true, 1 from board where hidden
union all (select {KEY}, due, false, 1 from board where not hidden
    and ({KEY}) > (%(after_band)s, %(after_calm)s, %(after_at)s, %(after_id)s) order by {KEY} limit %(limit)s)
"""
"""In one pass: how many of each kind (without an id), all that is protected, and a page of what is not."""
Place = tuple[int, int, datetime, str]


class Line(NamedTuple):
    """A row of `LINES`: where it stands, when it is due, whether it is protected."""

    band: int
    calm: int
    at: datetime
    id: str
    due: datetime
    hidden: bool | None
    many: int

    @property
    def place(self) -> Place:
        """What the board is sorted by."""
        return self.band, self.calm, self.at, self.id

    @property
    def kind(self) -> str:
        """Why it stands there."""
        return KINDS[self.band]


@answers(m.DutyBoard)
def duty_board(query: m.DutyBoard, context: Context, db: Db) -> shapes.Board:
    """A page of the board. A protected case is listed for those who may know of it and is a number for all others."""
    if query.division and not context.holds(query.may, query.division):
        raise Refused("not_found", division=query.division)
    after = _after(query.after)
    lines = [Line(*row) for row in db.rows(*_board(query, after, context, db))]
    protected = [line for line in lines if line.hidden]
    known = _known([line.id for line in protected], context, db)
    shown = [line for line in lines if line.hidden is False]
    shown += [line for line in protected if line.id in known and line.place > after]
    shown.sort(key=lambda line: line.place)
    page = shown[: query.limit]
    found = db.records(Request, "id = any(%(ids)s)", {"ids": [line.id for line in page]})
    requests = {request.id: request for request in found}
    return shapes.Board(
        at=context.now,
        call_first=tuple(context.figure("crisis_numbers")),
        counts=dict.fromkeys(KINDS, 0) | {line.kind: line.many for line in lines if not line.id},
        not_shown=sum(line.id not in known for line in protected),
        items=tuple(item(line.kind, requests[line.id], line.due, context) for line in page),
        on_duty=_on_duty(query, context, db),
        next=_cursor(*page[-1].place) if len(shown) > query.limit else None,
    )


def _board(query: m.DutyBoard, after: Place, context: Context, db: Db) -> tuple[str, dict[str, Any]]:
    """The statement of the lines, and its parameters."""
    parts, asked = conditions(db, query.division)
    within = " and ".join(parts)
    arms = (
        f"select {KINDS.index(kind)} as band, {CRISIS} - urgency as calm, {at} as at, id, {due} as due,"
        f" {PROTECTED} as hidden from request where {condition} and {within}"
        for kind, (condition, at, due) in _kinds(context).items()
    )
    asked |= {"now": context.now, "account": context.actor, "limit": query.limit + 1}
    asked |= dict(zip(("after_band", "after_calm", "after_at", "after_id"), after, strict=True))
    return f"with board as materialized ({' union all '.join(arms)}) {LINES}", asked


def _kinds(context: Context) -> dict[str, tuple[str, str, str]]:
    """kind → (condition, what it is sorted by within its urgency, when it is due)."""
    started_by = f"accepted_at + {_own_figure('start_hours', context)} * interval '1 hour'"
    soon = f"%(now)s + {_own_figure('board_soon_minutes', context)} * interval '1 minute'"
    return {
        "crisis": (f"urgency = {CRISIS} and {OPEN} and due = 'crisis'", "taken_at", "due_at"),
        "mine": (f"holder_account = %(account)s and {UNSENT} and due <> 'crisis'", "taken_at", "due_at"),
        "held": (f"{WITH_DUTY} and due <> 'crisis'", "taken_at", "due_at"),
        "report_open": (
            f"report_due_at is not null and report_receipt is null and {OPEN}",
            "taken_at",
            "report_due_at",
        ),
        "start_overdue": (f"state = 'accepted' and {started_by} <= %(now)s", started_by, started_by),
        "offer_ending": (f"state = 'dispatched' and due = 'expire' and due_at <= {soon}", "due_at", "due_at"),
    }


def _own_figure(name: str, context: Context) -> str:
    """SQL of a figure by urgency: each request's own division decides, not the one that is asked for."""
    whens = (
        f"when starts_with(division, '{begins}') then array[{', '.join(str(int(each)) for each in value)}]"
        for begins, value in context.policy.by_area(name, context.today)
    )
    return f"(case {' '.join(whens)} end)[urgency::int + 1]"


def _known(ids: list[str], context: Context, db: Db) -> set[str]:
    """Those protected requests of which the caller may know."""
    protected = db.records(Request, "id = any(%(ids)s)", {"ids": ids}) if ids else []
    return {request.id for request in protected if may_know(request, context)}


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


def _after(cursor: str | None) -> Place:
    """Where the last page ended; refuses `bad_input` for what is no cursor of this board."""
    try:
        band, calm, at, id = (cursor or BEFORE_ALL).split("|")
        return int(band), int(calm), _instant(at), id
    except ValueError:
        raise Refused("bad_input", field="after", detail="not a cursor of this board") from None


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("an instant has its zone")
    return found
