"""The snapshot of a stream: its events up to a signed head, but those that a later one of the same record replaces.

Only types that declare `replaces` are thinned out, so that every fold over snapshot and feed ends as one over the feed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from banyan.kernel.message import Event
from banyan.kernel.refusal import Refused
from banyan.runtime.events.agreements import Permit

SCAN = 5_000
"""Positions that one page looks through at the most, however few of them still count."""
LATEST = "select position, head from head where stream = %s order by position desc limit 1"
AT = "select position, head from head where stream = %s and position = %s"
# The subquery with its limit is one look into the index log_record, never a join over the whole log.
READ = (
    "select l.position, l.salt, l.digest, l.chain, l.body, l.type from log l"
    " left join lateral (select true as replaced from log n where l.type = any(%(replacing)s)"
    " and n.aggregate_id = l.aggregate_id and n.type = l.type and n.stream = l.stream"
    " and n.position > l.position and n.position <= %(head)s limit 1) n on true"
    " where l.stream = %(stream)s and l.position > %(after)s and l.position <= %(end)s"
    " and (%(types)s::text[] is null or l.type = any(%(types)s)) and n.replaced is null"
    " order by l.position limit %(limit)s"
)


class Part(NamedTuple):
    """One page: rows of the log as `log.item` takes them, the head and its position, where to go on (None: complete)."""

    rows: list[Any]
    head: str
    at: int
    next: int | None


def read(connection: Any, stream: str, cursor: str, limit: int, permit: Permit | None) -> Part:
    """What still counts after the cursor (`<head>-<position>`, "" at first); refuses `no_head_yet`, `bad_input`.

    The head stays that of the first page, so nothing moves while the log grows."""
    head, text, after = _begin(connection, stream, cursor)
    end = min(after + SCAN, head)
    types = None if permit is None or permit.types is None else list(permit.types)
    asked = {"stream": stream, "after": after, "end": end, "head": head, "limit": limit, "types": types}
    rows = connection.execute(READ, asked | {"replacing": replacing(stream)}).fetchall()
    reached = rows[-1][0] if len(rows) == limit else end
    return Part(rows, text, head, reached if reached < head else None)


def _begin(connection: Any, stream: str, cursor: str) -> tuple[int, str, int]:
    """(the head's position, the head, the position to go on from)."""
    if not cursor:
        row = connection.execute(LATEST, (stream,)).fetchone()
        if row is None:
            raise Refused("no_head_yet", stream=stream)
        return row[0], row[1], 0
    at, after = map(int, cursor.split("-"))
    row = connection.execute(AT, (stream, at)).fetchone()
    if row is None or after > at:
        raise Refused("bad_input", field="after")
    return row[0], row[1], after


@cache
def replacing(stream: str) -> list[str]:
    """The types of a stream of which only each record's newest counts."""
    kinds = (kind for kind in _events(Event) if kind.replaces and kind.stream == stream)
    return sorted(kind.type_name() for kind in kinds)


def _events(kind: type[Event]) -> Iterator[type[Event]]:
    for each in kind.__subclasses__():
        yield each
        yield from _events(each)
