"""The views that every service has: streams, heads, audit trail, who looked, what is parked."""

from __future__ import annotations

import datetime as dt

import msgspec

from banyan.contracts import frame
from banyan.contracts.identity import PartnerAgreed
from banyan.kernel.context import Context
from banyan.kernel.message import SYSTEM
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from banyan.runtime.events import agreements, log, seal, snapshot

ANSWER_BYTES = 800_000  # a page ends before an RPC body would be too large
LOOKS = (
    "select id, row from audit where row -> 'subjects' ? %(person)s and id < %(before)s"
    " order by id desc limit %(limit)s"
)


@answers(frame.EventsRead)
def events_read(query: frame.EventsRead, context: Context, db: Db) -> frame.Items:
    """The log after a position; the last position is said too, so that a reader knows what it lacks."""
    permit = agreements.permit(_agreed(context, db), query.stream)
    head = log.positions(db.connection).get(query.stream)
    if head is None:
        raise Refused("not_found", stream=query.stream)
    items = log.read(db.connection, query.stream, query.after, query.limit, permit)
    return frame.Items(items=_page(items), head=str(head))


@answers(frame.EventsSnapshot)
def events_snapshot(query: frame.EventsSnapshot, context: Context, db: Db) -> frame.Snapshot:
    """What still counts of a stream up to a signed head; of what the caller may not read there is nothing at all."""
    permit = agreements.permit(_agreed(context, db), query.stream)
    if query.stream not in log.positions(db.connection):
        raise Refused("not_found", stream=query.stream)
    part = snapshot.read(db.connection, query.stream, query.after, query.limit, permit)
    kept = _page([log.item(query.stream, row, permit) for row in part.rows])
    reached = part.next if len(kept) == len(part.rows) else part.rows[len(kept) - 1][0]
    following = None if reached is None else f"{part.at}-{reached}"
    return frame.Snapshot(items=kept, head=msgspec.Raw(part.head.encode()), next=following)


@answers(frame.EventsHead)
def events_head(query: frame.EventsHead, context: Context, db: Db) -> msgspec.Raw:
    """The newest signed head."""
    agreements.permit(_agreed(context, db), query.stream)
    return msgspec.Raw(log.latest_head(db.connection, query.stream))


@answers(frame.EventsPositions)
def events_positions(query: frame.EventsPositions, context: Context, db: Db) -> frame.Positions:
    """Every stream that the caller may read, and its last position."""
    agreed = _agreed(context, db)
    found = log.positions(db.connection)
    return frame.Positions(
        streams={name: str(at) for name, at in found.items() if agreed is None or name in agreed.streams}
    )


def _agreed(context: Context, db: Db) -> PartnerAgreed | None:
    """What binds a caller that is only a partner; None where an office of its own reads everything."""
    if context.caller.duties() & {SYSTEM, "audit_admin"}:
        return None
    return agreements.of_account(db.connection, context.actor, context.today)


@answers(frame.AuditRead)
def audit_read(query: frame.AuditRead, context: Context, db: Db) -> frame.Items:
    """Sealed audit rows as they stand now, with the proof made when they were sealed."""
    service = db.service
    last, _ = seal.state(db.connection, service)
    return frame.Items(items=_page(seal.export(db.connection, service, query.after, query.limit)), head=str(last))


@answers(frame.WhoLooked)
def who_looked(query: frame.WhoLooked, context: Context, db: Db) -> frame.Looks:
    """For the person or an audit administrator: every row of the trail that names the person."""
    auditor = "audit_admin" in context.caller.duties()
    if not auditor and context.caller.person != query.person_id:
        raise Refused("not_found")
    before = int(query.before) if query.before and query.before.isdigit() else 2**62
    rows = db.rows(LOOKS, {"person": query.person_id, "before": before, "limit": query.limit})
    looks = tuple(_look(row, query.person_id) for _, row in rows)
    return frame.Looks(items=looks, next=str(rows[-1][0]) if len(rows) == query.limit else None)


def _look(row: dict[str, object], person: str) -> frame.Look:
    seen = row.get("seen")
    fields = tuple(seen.get(person, ())) if isinstance(seen, dict) else ()
    return frame.Look(
        at=dt.datetime.fromisoformat(str(row["at"])),
        service=str(row["service"]),
        actor=str(row["actor"]),
        method=str(row["method"]),
        outcome=str(row["outcome"]),
        fields=fields,
        reason=str(row["reason"]) if "reason" in row else None,
    )


@answers(frame.Parked)
def parked(query: frame.Parked, context: Context, db: Db) -> frame.ParkedEvents:
    """What waits for a person to look at it."""
    sql = (
        "select subscription, stream, position::text, aggregate_id, reason, attempts, since from parked"
        " order by since, stream, position limit 500"
    )
    names = frame.ParkedEvent.__struct_fields__
    rows = (dict(zip(names, row, strict=True)) for row in db.rows(sql))
    return frame.ParkedEvents(items=tuple(msgspec.convert(row, frame.ParkedEvent) for row in rows))


@answers(frame.Health)
def health(query: frame.Health, context: Context, db: Db) -> dict[str, str]:
    """Answers where the database does."""
    return {"service": db.service, "now": context.now.isoformat(timespec="milliseconds")}


def _page(items: list[bytes]) -> list[msgspec.Raw]:
    kept: list[msgspec.Raw] = []
    size = 0
    for item in items:
        size += len(item)
        if kept and size > ANSWER_BYTES:
            break
        kept.append(msgspec.Raw(item))
    return kept
