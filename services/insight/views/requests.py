"""Requests: taken, open, accepted, served, ended; waits, endings, declines, escalations; and the lists behind."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from banyan.contracts.insight import ListRequests, RequestFigures
from banyan.contracts.insight_shapes import Line, RequestGroup, RequestList, RequestRow, RequestsView, Waits
from banyan.kernel.codes import CODES
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.domain.areas import child
from services.insight.store import REQUEST_AT, View, name_of, page, starts_at, view, within

FIGURES = {
    "taken": "true",
    "open": "state <> 'ended'",
    "waiting": "state = 'waiting'",
    "accepted": "accepted_at is not null",
    "served": "started_at is not null",
    "ended": "state = 'ended'",
    "declined": "declines > 0",
    "escalated": "escalations > 0",
}
SUMS = ("offers", "declines", "expired", "overrides", "escalations", "minutes_served")
WAITS = (
    "count(wait_min), percentile_disc(0.5) within group (order by wait_min),"
    " percentile_disc(0.9) within group (order by wait_min), max(wait_min)"
)
GROUPS = ("urgency", "field", "client_group", "division")
ALL = (1 << len(GROUPS)) - 1
COLUMNS = (
    "request_id, division, field, client_group, urgency, state, taken_at, accepted_at, ended_at, ending, wait_min,"
    " declines, escalations"
)
SHOWN = (
    "not protected and not exists (select from request now where now.request_id = request.request_id"
    " and now.until_pos is null and now.protected)"
)
COUNTED = (
    "select count(*), count(*) filter (where not protected and hidden_id is null) from request left join"
    " (select request_id as hidden_id from request where until_pos is null and protected) hidden on hidden_id = request_id"
)
"""How many there are, and how many of these are `SHOWN`: the protected are few and read once, not looked for at each row."""
NOTES = ("受保护个案只计入县级及以上，不在乡镇、村级数字和任何清单中出现；后来才受保护的，以前各日的数字也照此办理。",)


def cohort(asked: View, since: date | None, db: Db) -> tuple[str, dict[str, Any]]:
    """The condition of the requests that were taken from a day on, as they stood when `on` ended."""
    condition = f"{REQUEST_AT} and {asked.area} and {within(db)}"
    if since is None:
        return condition, asked.params
    return f"{condition} and taken_at >= %(taken_from)s", asked.params | {"taken_from": starts_at(since)}


@answers(RequestFigures)
def requests(query: RequestFigures, context: Context, db: Db) -> RequestsView:
    """Figures of all, by urgency, field and client group, and of each division directly below."""
    asked = view(query, context, db)
    condition, params = cohort(asked, query.since, db)
    groups, below = _grouped(asked, condition, params, db)
    empty = _group("all", "", (0,) * (len(FIGURES) + len(SUMS)), (0, None, None, None))
    return RequestsView(
        **asked.answer,
        since=query.since,
        all=next(iter(groups["all"]), empty),
        by_urgency=tuple(groups["urgency"]),
        by_field=tuple(groups["field"]),
        by_client_group=tuple(groups["client_group"]),
        endings=_endings(condition, params, db),
        crises_acknowledged_s=_acknowledged(condition, params, db),
        below=tuple(below),
        notes=NOTES,
    )


def _grouped(
    asked: View, condition: str, params: dict[str, Any], db: Db
) -> tuple[dict[str, list[RequestGroup]], list[Line]]:
    counts = [f"count(*) filter (where {figure})" for figure in FIGURES.values()]
    sums = [f"coalesce(sum({name}), 0)::bigint" for name in SUMS]
    sql = (
        f"select grouping({', '.join(GROUPS)}), {', '.join(GROUPS)}, {', '.join(counts + sums)}, {WAITS} from request"
        f" where {condition} group by grouping sets ((), {', '.join(f'({name})' for name in GROUPS)})"
        f" order by {', '.join(GROUPS)}"
    )
    groups: dict[str, list[RequestGroup]] = defaultdict(list)
    lines: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for mask, *row in db.rows(sql, params):
        codes, numbers, waits = row[: len(GROUPS)], row[len(GROUPS) : -4], row[-4:]
        if mask == ALL:
            groups["all"].append(_group("all", "全部", numbers, waits))
            continue
        kind = GROUPS[len(GROUPS) - (ALL ^ mask).bit_length()]  # the one bit that is not set
        code = next(each for each in codes if each is not None)
        if kind == "division":
            line = lines[child(asked.tree, asked.division, code, asked.on)]
            for name, number in zip((*FIGURES, *SUMS), numbers, strict=True):
                line[name] += number
        else:
            groups[kind].append(_group(str(code), CODES[kind].get(str(code), str(code)), numbers, waits))
    return groups, [
        Line(division=code, name=name_of(asked.tree, code, asked.on), figures=dict(figures))
        for code, figures in sorted(lines.items())
    ]


def _group(code: str, name: str, numbers: Any, waits: Any) -> RequestGroup:
    figures = dict(zip((*FIGURES, *SUMS), numbers, strict=True))
    rate = figures["served"] * 1000 // figures["taken"] if figures["taken"] else None
    return RequestGroup(code=code, name=name, figures=figures, waits=_waits(waits), served_per_thousand=rate)


def _waits(row: Any) -> Waits:
    count, p50, p90, longest = row
    return Waits(count=count, p50=p50, p90=p90, longest=longest)


def _endings(condition: str, params: dict[str, Any], db: Db) -> dict[str, int]:
    sql = f"select ending, count(*) from request where {condition} and state = 'ended' group by ending order by ending"
    return dict(db.rows(sql, params))


def _acknowledged(condition: str, params: dict[str, Any], db: Db) -> Waits:
    seconds = WAITS.replace("wait_min", "acknowledged_s")
    return _waits(db.rows(f"select {seconds} from request where {condition}", params)[0])


@answers(ListRequests)
def list_requests(query: ListRequests, context: Context, db: Db) -> RequestList:
    """The requests behind a figure, by id; protected ones (then or now) are counted and not shown."""
    asked = view(query, context, db)
    condition, params = cohort(asked, query.since, db)
    if query.figure not in FIGURES:
        raise Refused("unknown_code", kind="request_figure", value=query.figure[:40])
    condition += f" and {FIGURES[query.figure]}"
    for name in ("urgency", "field", "client_group", "ending"):
        if getattr(query, name) is not None:
            condition, params = f"{condition} and {name} = %(f_{name})s", params | {f"f_{name}": getattr(query, name)}
    params |= {"after": query.next or "", "limit": query.limit + 1}
    total, shown = db.rows(f"{COUNTED} where {condition}", params)[0]
    rows = db.rows(
        f"select {COLUMNS} from request where {condition} and {SHOWN} and request_id > %(after)s"
        " order by request_id limit %(limit)s",
        params,
    )
    names = RequestRow.__struct_fields__
    found = [RequestRow(**dict(zip(names, row, strict=True))) for row in rows]
    items, following = page(found, query.limit, "request_id")
    return RequestList(
        **asked.answer,
        figure=query.figure,
        total=total,
        not_shown=total - shown,
        items=tuple(items),
        next=following,
    )
