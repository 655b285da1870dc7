"""Trends: one measure at the end of each month, from the same versions as the figures."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from banyan.contracts.insight import Trend
from banyan.contracts.insight_shapes import Point, TrendView
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.domain.areas import villages_by_place
from services.insight.domain.targets import served_changes
from services.insight.store import View, view, within
from services.insight.views.people import POPULATIONS, figure_params

KNOWN = "from_pos <= %({0}_pos)s and (until_pos is null or until_pos > %({0}_pos)s)"
SHANGHAI_DAY = "({0} at time zone 'Asia/Shanghai')::date"
TAKEN, ENDED, SERVED = "requests_taken", "requests_ended", "villages_served"
MOST_MONTHS = 240


@answers(Trend)
def trend(query: Trend, context: Context, db: Db) -> TrendView:
    """The measure at each month's end from `since` to `on`; requests are counted from the first one on."""
    asked = view(query, context, db)
    changes = changes_of(query.measure, asked, context, db)
    days = month_ends(query.since, asked.on)
    points, total, at = [], 0, 0
    for day in days:
        while at < len(changes) and changes[at][0] <= day:
            total += changes[at][1]
            at += 1
        points.append(Point(on=day, value=total))
    return TrendView(**asked.answer, measure=query.measure, points=tuple(points))


def month_ends(since: date, on: date) -> list[date]:
    """The last day of each month from `since` on, and `on`; refuses `too_many` beyond twenty years."""
    days: list[date] = []
    month = since.replace(day=1)
    while True:
        following = (month + timedelta(days=31)).replace(day=1)
        last = following - timedelta(days=1)
        if last >= on:
            return [*days, on] if on >= since else []
        days.append(last)
        if len(days) > MOST_MONTHS:
            raise Refused("too_many", limit=MOST_MONTHS, given=len(days))
        month = following


def changes_of(measure: str, asked: View, context: Context, db: Db) -> list[tuple[date, int]]:
    """(day, difference) in the order of days, up to the area's day; refuses `unknown_code` for another measure."""
    if measure in POPULATIONS:
        return _person_changes(measure, asked, context, db)
    if measure == SERVED:
        return _served(asked, context, db)
    if measure in (TAKEN, ENDED):
        return _request_changes(measure, asked, db)
    raise Refused("unknown_code", kind="measure", value=measure[:40])


def _person_changes(measure: str, asked: View, context: Context, db: Db) -> list[tuple[date, int]]:
    """A person counts from the day on which the condition begins to hold; a registration ends after its last day."""
    condition, stop = POPULATIONS[measure], "until_on"
    if measure == "registered":
        condition = "state = 'active' and merged_into is null"
        stop = "least(until_on, registration_until + 1)"
    span = f"select from_on a, {stop} b from person where {KNOWN.format('person')} and {asked.area} and {condition}"
    sql = (
        f"with span as materialized ({span}) select d, sum(n)::bigint from (select a d, 1 n from span"
        " where b is null or a < b union all select b, -1 from span where a < b) change"
        " where d <= %(on)s group by d order by d"
    )
    return [(day, number) for day, number in db.rows(sql, figure_params(asked, context))]


def _request_changes(measure: str, asked: View, db: Db) -> list[tuple[date, int]]:
    at = SHANGHAI_DAY.format("taken_at" if measure == TAKEN else "ended_at")
    sql = (
        f"select {at} d, count(*) from request where {KNOWN.format('request')}"
        f" and {asked.area} and {within(db)} and {at} <= %(on)s group by d order by d"
    )
    return [(day, number) for day, number in db.rows(sql, asked.params)]


def _served(asked: View, context: Context, db: Db) -> list[tuple[date, int]]:
    spans = _assignment_spans(asked, db)
    levels = context.figure("served_area_levels", on=asked.on)
    places = villages_by_place(asked.tree, asked.division, (area for area, *_ in spans), levels, asked.on)
    found: dict[date, int] = {}
    for day, number in served_changes(spans, places):
        if day <= asked.on:
            found[day] = found.get(day, 0) + number
    return sorted(found.items())


def _assignment_spans(asked: View, db: Db) -> list[tuple[str, date, date | None]]:
    """Area, first day, and the day after the last, of every open stretch of every assignment in the snapshot."""
    begin, end = SHANGHAI_DAY.format("from_at"), SHANGHAI_DAY.format("until_at")
    sql = (
        f"select area, greatest({begin}, since), least(case when until_pos <= %(assignment_pos)s then {end} end,"
        " until + 1) from assignment where from_pos <= %(assignment_pos)s and state = 'open'"
    )
    rows: list[Any] = db.rows(sql, asked.params)
    return [(area, start, stop) for area, start, stop in rows if stop is None or start < stop]
