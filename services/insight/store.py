"""Reading versions: the snapshot that an answer is of, and the conditions of area, day and jurisdiction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from banyan.contracts.insight import About, StartExport
from banyan.kernel.context import SHANGHAI, Context
from banyan.kernel.divisions import Tree
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, fact
from services.insight.domain.areas import Reach, reach

SUBSCRIPTION = "projections"
STREAMS = ("registry.person", "registry.assignment", "matching.request", "matching.worker")
STAND = "select stream, position from cursor where subscription = %(subscription)s"
AT_DAY = (
    "from_pos <= %({0}_pos)s and (until_pos is null or until_pos > %({0}_pos)s)"
    " and from_on <= %(on)s and (until_on is null or until_on > %(on)s)"
)
AT_INSTANT = (
    "from_pos <= %({0}_pos)s and from_at < %(ends_at)s"
    " and (until_pos is null or until_pos > %({0}_pos)s or until_at >= %(ends_at)s)"
)
PERSON_AT = AT_DAY.format("person")
ASSIGNMENT_AT = AT_INSTANT.format("assignment")
REQUEST_AT = AT_INSTANT.format("request")
WORKER_AT = AT_INSTANT.format("worker")

EXPORTS_WAITING = (
    "select count(*) from export where state = 'waiting' and body #>> '{started_by,account}' = %(account)s"
)


@dataclass(frozen=True)
class View:
    """What one question is asked of: area, day, snapshot, and the SQL that says so with its parameters."""

    division: str
    on: date
    as_of: dict[str, int]
    tree: Tree | None
    area: str
    params: dict[str, Any]

    @property
    def answer(self) -> dict[str, Any]:
        """What every answer repeats."""
        return {"division": self.division, "on": self.on, "as_of": self.as_of}

    def at(self, on: date, as_of: Mapping[str, int] | None = None) -> dict[str, Any]:
        """The parameters of the same area on another day, or in another snapshot."""
        return self.params | moments(on, as_of or self.as_of)


def view(query: About, context: Context, db: Db) -> View:
    """Checks the area against the caller's grants and fixes the snapshot before anything is counted.

    Versions are never changed for a position that was passed, so every later statement of the answer sees the same
    snapshot, whatever is folded meanwhile (but for the town of a case that becomes protected at that moment). Refuses
    `not_found` for an area that no grant reaches."""
    if not context.holds(context.may, query.division):
        raise Refused("not_found", division=query.division)
    return view_of(query.division, query.on or context.today, snapshot(db, query.as_of), context, db)


def view_of(division: str, on: date, as_of: dict[str, int], context: Context, db: Db) -> View:
    """The same of any area, unchecked: for what is published, or compared with a higher tier."""
    codes = [code for (code,) in db.rows("select code from place")]
    area, params = area_sql(reach(context.divisions, division, codes, on))
    return View(division, on, as_of, context.divisions, area, params | moments(on, as_of))


def snapshot(db: Db, asked: Mapping[str, int] | None) -> dict[str, int]:
    """Where each stream is read to: the cursor, or an earlier position that is asked for; refuses `snapshot_ahead`."""
    stand = dict(db.rows(STAND, {"subscription": SUBSCRIPTION}))
    found = {}
    for stream in STREAMS:
        at = stand.get(stream, 0)
        wanted = (asked or {}).get(stream, at)
        if not 0 <= wanted <= at:
            raise Refused("snapshot_ahead", stream=stream, asked=str(wanted), at=str(at))
        found[stream] = wanted
    return found


@fact("stand")
def stand(db: Db, commands: Sequence[StartExport], context: Context) -> list[dict[str, int]]:
    """The snapshot that each export is of."""
    return [snapshot(db, command.as_of) for command in commands]


@fact("exports_waiting")
def exports_waiting(db: Db, commands: Sequence[StartExport], context: Context) -> list[int]:
    """How many exports of the caller are not made yet."""
    waiting = int(db.rows(EXPORTS_WAITING, {"account": context.actor})[0][0])
    return [waiting for _ in commands]


def frozen(db: Db, day: date, as_of: Mapping[str, int]) -> dict[str, int]:
    """The snapshot that was the newest when a day ended, in so far as it lies within another snapshot."""
    sql = "select stream, max(position) from known_day where on_day <= %(day)s group by stream"
    ended = dict(db.rows(sql, {"day": day}))
    return {stream: min(ended.get(stream, 0), at) for stream, at in as_of.items()}


def moments(on: date, as_of: Mapping[str, int]) -> dict[str, Any]:
    """The parameters of a day and of a snapshot."""
    positions = {f"{stream.rsplit('.', 1)[1]}_pos": position for stream, position in as_of.items()}
    return {"on": on, "ends_at": ends_at(on), **positions}


def starts_at(day: date) -> datetime:
    """The instant at which a day begins in Shanghai."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def ends_at(day: date) -> datetime:
    """The instant at which the next day begins in Shanghai."""
    return starts_at(day + timedelta(days=1))


def area_sql(found: Reach) -> tuple[str, dict[str, Any]]:
    """The condition of an area on the column `division`; containment is a prefix, what moved is named code by code."""
    condition = f"division like '{found.begins}%%'"
    params: dict[str, Any] = {}
    if found.less:
        condition, params["area_less"] = f"({condition} and division <> all(%(area_less)s))", list(found.less)
    if found.more:
        condition, params["area_more"] = f"({condition} or division = any(%(area_more)s))", list(found.more)
    return condition, params


def within(db: Db) -> str:
    """The condition of the caller's jurisdiction by division and field of service."""
    return db.jurisdiction("division", "field")


def name_of(tree: Tree | None, code: str, on: date) -> str:
    """The name of a division on a day; the code itself where the tree does not know it."""
    if tree is None:
        return code
    try:
        return tree.get(code, on).name
    except Refused:
        return code


def page(rows: list[Any], limit: int, key: str) -> tuple[list[Any], str | None]:
    """One more row than asked for was read: it says that there is a next page, which begins after the last key."""
    shown = rows[:limit]
    return shown, str(getattr(shown[-1], key)) if len(rows) > limit else None


def percentiles(pairs: Iterable[tuple[int, int]]) -> tuple[int, int | None, int | None, int | None]:
    """(count, p50, p90, highest) of (value, how many); the least value that so many do not exceed."""
    ordered = sorted(pairs)
    count = sum(many for _, many in ordered)

    def reach_of(tenths: int) -> int | None:
        passed = 0
        for value, many in ordered:
            passed += many
            if passed * 10 >= count * tenths:
                return value
        return None

    return count, reach_of(5), reach_of(9), ordered[-1][0] if ordered else None
