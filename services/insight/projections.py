"""Events into versions: a batch of one stream is folded in memory and written in three statements.

Any cutting of a stream into batches gives the same rows. A row never changes once its position was passed, except that
a case which became protected loses its town and village for the days before, too. What all streams write alike (places,
the position that each day ended at) commutes between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from banyan.contracts import matching, registry
from banyan.kernel.context import SHANGHAI
from banyan.kernel.message import Event
from banyan.runtime.commands.store import Db
from banyan.runtime.events.declare import Envelope, projects
from services.insight.domain import assignment, person, request, worker
from services.insight.domain.versions import Layers, Succession, Version
from services.insight.tables import ARRAYS, ASSIGNMENT, PERSON, REQUEST, WORKER, Track

Batch = Sequence[tuple[Envelope, Event]]
PLACES = "insert into place (code) select distinct unnest(%s::text[]) on conflict do nothing"
OWN_COUNTY = "left(r.division, 6) || '000000'"
COARSER = (
    f"with coarser as (update request r set division = {OWN_COUNTY} from unnest(%s::text[], %s::bigint[]) n(key, position)"
    f" where r.request_id = n.key and r.from_pos < n.position and r.division <> {OWN_COUNTY} returning r.division)"
    " insert into place (code) select distinct division from coarser on conflict do nothing"
)
"""Earlier rows of a case that became protected, each into the county in which it lay then; a county is itself."""
DAYS = (
    "insert into known_day (stream, on_day, position) select %s, d, p from unnest(%s::date[], %s::bigint[]) n(d, p)"
    " on conflict (stream, on_day) do update set position = greatest(known_day.position, excluded.position)"
)


@projects("registry.person")
def fold_person(batch: Batch, db: Db) -> None:
    """Persons by the day from which each fact holds; an event may hold from an earlier day than the last one."""
    _fold(db, PERSON, Layers, batch, lambda envelope, event: (event.person_id, envelope.effective_on), person.after)


@projects("registry.assignment")
def fold_assignment(batch: Batch, db: Db) -> None:
    """Assignments by the instant at which registry wrote them."""
    said = lambda envelope, event: (event.assignment_id, envelope.recorded_at)  # noqa: E731
    _fold(db, ASSIGNMENT, Succession, batch, said, assignment.after)


@projects("matching.request")
def fold_request(batch: Batch, db: Db) -> None:
    """Requests by the instant that the event says; a protected one lies in a county from its first day on."""
    _fold(db, REQUEST, Succession, batch, lambda _, event: (event.request_id, event.at), request.after)
    protected = {
        event.request_id: envelope.position
        for envelope, event in batch
        if isinstance(event, matching.OfRequest) and event.protected
    }
    if protected:
        db.run(COARSER, (list(protected), list(protected.values())))


@projects("matching.worker")
def fold_worker(batch: Batch, db: Db) -> None:
    """Workers by the instant that the event says."""
    _fold(db, WORKER, Succession, batch, lambda _, event: (event.worker_id, event.at), worker.after)


BASES: dict[str, type[Event]] = {
    "person": registry.PersonEvent,
    "assignment": Event,
    "request": matching.OfRequest,
    "worker": matching.OfWorker,
}


def _fold(
    db: Db,
    track: Track,
    shape: Callable[[Sequence[Version[Any, Any]]], Any],
    batch: Batch,
    said: Callable[[Envelope, Any], tuple[str, Any]],
    after: Callable[[Any, Any], Any],
) -> None:
    of_kind = [(envelope, event) for envelope, event in batch if isinstance(event, BASES[track.table.name])]
    keyed = [(*said(envelope, event), envelope.position, event) for envelope, event in of_kind]
    folded = shape(current(db, track, sorted({key for key, *_ in keyed})))
    for key, start, position, event in keyed:
        folded.take(key, position, start, lambda before, event=event: after(before, event))
    write(db, track, folded.versions)
    db.run(PLACES, (sorted({event.division for _, _, _, event in keyed if hasattr(event, "division")}),))
    _note_days(db, batch)


def current(db: Db, track: Track, keys: Sequence[str]) -> list[Version[Any, Any]]:
    """The versions known now of these keys."""
    columns = ", ".join(track.columns)
    sql = f"select {columns} from {track.table.name} where {track.key} = any(%s) and until_pos is null"
    names = track.facts.__struct_fields__
    return [
        Version(key, from_pos, start, track.facts(**dict(zip(names, facts, strict=True))), None, stop, stored=True)
        for key, from_pos, _, start, stop, *facts in db.rows(sql, (list(keys),))
    ]


def write(db: Db, track: Track, versions: Sequence[Version[Any, Any]]) -> None:
    """Ends the stored versions that hold no more and adds the new ones."""
    ended = [version for version in versions if version.stored and version.until_pos is not None]
    added = [version for version in versions if not version.stored]
    if ended:
        columns = zip(*((v.key, v.from_pos, v.start, v.until_pos, v.stop) for v in ended), strict=True)
        db.run(_end_sql(track), [list(column) for column in columns])
    if added:
        rows = ((v.key, v.from_pos, v.until_pos, v.start, v.stop, *_values(v.facts)) for v in added)
        db.run(_add_sql(track), [list(column) for column in zip(*rows, strict=True)])


def _values(facts: Any) -> tuple[Any, ...]:
    return tuple(getattr(facts, name) for name in facts.__struct_fields__)


def _end_sql(track: Track) -> str:
    moment = ARRAYS[track.moment]
    return (
        f"update {track.table.name} t set until_pos = n.until_pos, {track.stop} = n.stop"
        f" from unnest(%s::text[], %s::bigint[], %s::{moment}, %s::bigint[], %s::{moment})"
        " n(key, from_pos, start, until_pos, stop)"
        f" where t.{track.key} = n.key and t.from_pos = n.from_pos and t.{track.start} = n.start"
    )


def _add_sql(track: Track) -> str:
    moment = ARRAYS[track.moment]
    arrays = ("text[]", "bigint[]", "bigint[]", moment, moment, *track.arrays)
    given = ", ".join(f"%s::{array}" for array in arrays)
    return f"insert into {track.table.name} ({', '.join(track.columns)}) select * from unnest({given})"


def _note_days(db: Db, batch: Batch) -> None:
    """The position at which each day ended: a value frozen on a day is the snapshot at that position."""
    by_stream: dict[str, dict[Any, int]] = {}
    for envelope, _ in batch:
        day = shanghai_day(envelope.known_at)
        days = by_stream.setdefault(envelope.stream, {})
        days[day] = max(envelope.position, days.get(day, 0))
    for stream, days in by_stream.items():
        db.run(DAYS, (stream, list(days), list(days.values())))


def shanghai_day(instant: datetime) -> Any:
    """The day in Shanghai of an instant."""
    return instant.astimezone(SHANGHAI).date()
