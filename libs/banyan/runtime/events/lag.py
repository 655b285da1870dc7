"""Lag: whether an event had its effect in time. A head is noted, and until when the cursor has not reached it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

TABLE = (
    "create table if not exists lag (subscription text not null, stream text not null, head bigint not null,"
    " noted_at timestamptz not null, newest bigint not null, primary key (subscription, stream))"
)
NOTE = (
    "insert into lag as l (subscription, stream, head, noted_at, newest)"
    " select %(subscription)s, n.stream, n.head, %(now)s, n.head"
    " from unnest(%(streams)s::text[], %(heads)s::bigint[]) n(stream, head)"
    " on conflict (subscription, stream) do update set newest = excluded.newest,"
    " head = case when reached.it then excluded.head else l.head end,"
    " noted_at = case when reached.it then excluded.noted_at else l.noted_at end"
)
REACHED = (
    "coalesce((select c.position >= l.head from cursor c"
    " where c.subscription = l.subscription and c.stream = l.stream), l.head = 0)"
)
BEHIND = (
    "select l.stream, coalesce(c.position, 0), l.newest, floor(extract(epoch from %(now)s - l.noted_at))::bigint"
    " from lag l left join cursor c on c.subscription = l.subscription and c.stream = l.stream"
    " where l.subscription = %(subscription)s and coalesce(c.position, 0) < l.head order by l.stream"
)


def note(connection: Any, subscription: str, heads: Mapping[str, int], now: dt.datetime) -> None:
    """Notes the heads of streams as their services say. One that the cursor has not reached keeps its first instant."""
    given = {"subscription": subscription, "now": now, "streams": list(heads), "heads": list(heads.values())}
    connection.execute(NOTE.replace("reached.it", REACHED), given)


def behind(connection: Any, subscription: str, now: dt.datetime) -> list[tuple[str, int, int, int]]:
    """Streams whose noted head the cursor has not reached: stream, cursor, newest head, whole seconds since noted."""
    found: list[tuple[str, int, int, int]] = connection.execute(
        BEHIND, {"subscription": subscription, "now": now}
    ).fetchall()
    return found
