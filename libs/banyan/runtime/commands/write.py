"""What one command writes, in one round trip: records, history, events, notices, keys; then the commit, then the wake-up.

Almost every command changes one record: then all of it, audit row and reply too, is one statement. One that changes many
writes each kind as a set. The relay is woken after the commit: PostgreSQL lets transactions that notify commit only one
after another, each with its own fsync.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import msgspec

from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate
from banyan.kernel.message import DestroyKey, Event, Notice
from banyan.kernel.personal import Private
from banyan.runtime.commands import codec
from banyan.runtime.commands.ahead import ahead
from banyan.runtime.commands.keys import PersonKeys
from banyan.runtime.commands.statements import Statement, together
from banyan.runtime.commands.store import subject_of


@dataclass(slots=True)
class Change:
    """A record after its decision; `old` is the version it was read at, None where it is new."""

    record: Aggregate
    old: int | None

    @property
    def version(self) -> int:
        """The version it gets."""
        return (self.old or 0) + 1


@dataclass
class Outcome:
    """Everything that decisions of one transaction want written."""

    changes: list[Change] = field(default_factory=list)
    events: list[tuple[Event, str, int, str]] = field(default_factory=list)  # event, record id, its version, subject
    notices: list[Notice] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)  # whose keys seal what was changed

    def add(self, main: Change | None, main_id: str, others: Sequence[Change], rest: Sequence[Any]) -> None:
        """Takes in one decision's answer: the changed records, its events (of the main record), notices and effects."""
        changed = [c for c in (main, *others) if c is not None]
        self.changes += changed
        self.subjects |= {subject_of(c.record) for c in changed if type(c.record).subject}
        first = {type(c.record).kind: c for c in reversed(changed)}
        named = {(type(c.record).kind, c.record.id): c for c in changed}
        for item in rest:
            if isinstance(item, Event):
                about = _about(item, first, named) or main
                if about is None:
                    self.events.append((item, main_id, 0, main_id))
                else:
                    self.events.append((item, about.record.id, about.version, subject_of(about.record)))
            elif isinstance(item, Notice):
                self.notices.append(item)
            elif isinstance(item, DestroyKey):
                self.destroyed.append(item.person_id)
            else:
                raise TypeError(f"a decision answered a {type(item).__name__}")

    def forget_written(self) -> None:
        """What is written need not be kept; whose it was goes into the audit trail."""
        for written in (self.changes, self.events, self.notices, self.destroyed):
            written.clear()


def _about(event: Event, first: Mapping[str, Change], named: Mapping[tuple[str, str], Change]) -> Change | None:
    """The changed record that an event is about: of its stream's kind and, where it names one (`tree_id`), with that id."""
    kind = event.stream.rsplit(".", 1)[-1]
    id = getattr(event, f"{kind}_id", None)
    return first.get(kind) if id is None else named.get((kind, id))


# JSON travels in binary arrays (%b): in the text form of an array each of its quotes is escaped, which takes most of the time.
UPDATE = (
    "update {kind} t set body = n.body::jsonb, version = n.version, division = n.division"
    " from unnest(%b::text[], %s::int[], %b::text[], %b::text[]) n(id, version, division, body)"
    " where t.id = n.id and t.version = n.version - 1 returning t.id, t.version, t.body"
)
INSERT = (
    "insert into {kind} (id, version, division, body)"
    " select id, version, division, body::jsonb"
    " from unnest(%b::text[], %s::int[], %b::text[], %b::text[]) n(id, version, division, body)"
    " returning id, version, body"
)
OUTBOX = (
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data,"
    " personal, traceparent)"
    " select event_id, stream, aggregate_id, aggregate_version, type, effective_on, %s::timestamptz, data, personal, %s"
    " from unnest(%b::text[], %b::text[], %b::text[], %s::int[], %b::text[], %s::date[], %b::text[], %b::text[])"
    " with ordinality n(event_id, stream, aggregate_id, aggregate_version, type, effective_on, data, personal, ord)"
    " order by ord"
)
NOTICES = (
    "insert into notice (template, recipient, about, facts, urgent, made_at, due_at)"
    " select template, recipient, about, facts::jsonb, urgent, made_at, due_at from unnest(%b::text[], %b::text[], %b::text[],"
    " %b::text[], %s::boolean[], %s::timestamptz[], %s::timestamptz[])"
    " with ordinality n(template, recipient, about, facts, urgent, made_at, due_at, ord) order by ord"
)
NOTICE = (
    "insert into notice (template, recipient, about, facts, urgent, made_at, due_at)"
    " values (%s, %s, %s, %s::jsonb, %s, %s, %s)"
)
MAKE_KEYS = "insert into person_key (person_id, wrapped) select * from unnest(%s::text[], %s::bytea[])"
DESTROY = "update person_key set wrapped = null, destroyed_at = now() where person_id = any(%s) and wrapped is not null"
FORGET = "select forget_history(%s, %s, %s)"
WAKE = b"notify outbox"
SINGLY_MOST = 16  # records that one command saves one by one
A_STATEMENT = 1_000  # rows of a set: while the database writes one, the next is encoded, and no more of them are kept

SAVE_ONE = "update {kind} set body = %s::jsonb, version = %s, division = %s where id = %s and version = %s"
MAKE_ONE = "insert into {kind} (body, version, division, id) values (%s::jsonb, %s, %s, %s)"
HISTORY_OF_SAVED = (
    "insert into {kind}_history (id, version, effective_on, known_at, body)"
    " select id, version, %s::date, %s::timestamptz, body from saved"
)
OUTBOX_ROWS = (
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, data, personal,"
    " recorded_at, traceparent) values "
)
OUTBOX_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def write(connection: Any, outcome: Outcome, context: Context, keys: PersonKeys, traceparent: str | None) -> None:
    """Sends the statements of many decisions, or of one that changed many records; inside a pipeline they travel together."""
    for statement in ahead(_sets(outcome, context, keys, traceparent)):
        connection.execute(*statement)


def _sets(outcome: Outcome, context: Context, keys: PersonKeys, traceparent: str | None) -> Iterator[Statement]:
    """All that is written, each kind as sets of at most `A_STATEMENT` rows; a set is encoded when it is asked for."""
    effective = _effective_on(outcome, context)
    kinds: dict[tuple[str, bool], list[Change]] = defaultdict(list)
    for change in outcome.changes:
        kinds[type(change.record).kind, change.old is None].append(change)
    for (kind, new), changes in kinds.items():
        for columns in _columns(_saved_row(change, keys) for change in changes):
            saved = ((INSERT if new else UPDATE).format(kind=kind), columns)
            yield _folded([saved, (HISTORY_OF_SAVED.format(kind=kind), (effective, context.now))])
    for columns in _columns(_outbox_rows(outcome, context, keys)):
        yield OUTBOX, (context.now, traceparent, *columns)
    for columns in _columns(_notice(notice, context.now) for notice in outcome.notices):
        yield NOTICES, columns
    yield from _made(keys)
    yield from _destroyed(outcome)


def write_and_end(
    connection: Any,
    outcome: Outcome,
    context: Context,
    keys: PersonKeys,
    traceparent: str | None,
    last: Sequence[Statement],
) -> None:
    """Sends what one command wants written, then what comes `last`, then the commit, in one message.

    One statement's parts see none of each other's rows, so two records, whose order may matter, are saved one by one;
    above `SINGLY_MOST` they are saved kind by kind as sets, and the message holds only what comes last.
    """
    wake = [WAKE] if outcome.events else []
    if len(outcome.changes) > SINGLY_MOST:
        write(connection, outcome, context, keys, traceparent)
        together(connection, *last, b"commit", *wake)
        return
    effective = _effective_on(outcome, context)
    saves = [_record_parts(change, effective, context.now, keys) for change in outcome.changes]
    rest = [*_rest(outcome, context, keys, traceparent), *last]
    if len(saves) > 1 or outcome.destroyed:
        statements = [*map(_folded, saves), *rest]
    else:
        statements = [_folded([*chain.from_iterable(saves), *rest])]
    together(connection, *statements, b"commit", *wake)


def _columns(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[list[Any]]]:
    """Rows as columns, at most `A_STATEMENT` of them a statement."""
    rest = iter(rows)
    while some := list(islice(rest, A_STATEMENT)):
        yield [list(column) for column in zip(*some, strict=True)]


def _folded(parts: Sequence[Statement]) -> Statement:
    """Several statements as one; the first may be read as `saved` by the others."""
    names = ["saved", *(f"part_{n}" for n in range(1, len(parts)))]
    folded = ", ".join(f"{name} as ({sql})" for name, (sql, _) in zip(names, parts, strict=True))
    return f"with {folded} select 1", [value for _, values in parts for value in values]


def _rest(outcome: Outcome, context: Context, keys: PersonKeys, traceparent: str | None) -> list[Statement]:
    """What is written beside the records."""
    parts: list[Statement] = []
    if outcome.events:
        rows = [(*row, context.now, traceparent) for row in _outbox_rows(outcome, context, keys)]
        parts.append((OUTBOX_ROWS + ", ".join([OUTBOX_ROW] * len(rows)), [value for row in rows for value in row]))
    parts += [(NOTICE, _notice(notice, context.now)) for notice in outcome.notices]
    return [*parts, *_made(keys), *_destroyed(outcome)]


def _made(keys: PersonKeys) -> Iterator[Statement]:
    """The keys of new persons, once all that they seal is sealed."""
    if keys.made:
        yield MAKE_KEYS, (list(keys.made), list(keys.made.values()))
        keys.made.clear()


def _destroyed(outcome: Outcome) -> Iterator[Statement]:
    """Destroys keys, and with them the earlier versions of the changed records that are about those persons."""
    if not outcome.destroyed:
        return
    yield DESTROY, (outcome.destroyed,)
    changed: dict[type[Aggregate], list[str]] = defaultdict(list)
    for change in outcome.changes:
        changed[type(change.record)].append(change.record.id)
    for kind, ids in changed.items():
        if kind.subject:
            yield FORGET, (kind.kind, kind.subject, ids)


def _record_parts(change: Change, effective: dt.date, now: dt.datetime, keys: PersonKeys) -> list[Statement]:
    """The record, as `saved`, and from that its history."""
    kind = type(change.record).kind
    id, version, division, body = _saved_row(change, keys)
    values: list[Any] = [body, version, division, id]
    if change.old is not None:
        values.append(change.old)
    sql = (MAKE_ONE if change.old is None else SAVE_ONE).format(kind=kind) + " returning id, version, body"
    return [(sql, values), (HISTORY_OF_SAVED.format(kind=kind), (effective, now))]


def _saved_row(change: Change, keys: PersonKeys) -> tuple[str, int, str, str]:
    record = change.record
    body = codec.encode(record, _sealer(record, keys, new=change.old is None))
    return record.id, change.version, record.division, body


def _effective_on(outcome: Outcome, context: Context) -> dt.date:
    """The day from which the change holds: the one that an event names, else today."""
    named = (getattr(event, "effective_on", None) for event, *_ in outcome.events)
    return next((day for day in named if isinstance(day, dt.date)), context.today)


def _sealer(record: Aggregate, keys: PersonKeys, *, new: bool) -> codec.Seal:
    subject = subject_of(record)
    own_key = new and subject == record.id

    def seal(value: Private) -> None:
        keys.seal(subject, value, new=own_key)

    return seal


def _outbox_rows(outcome: Outcome, context: Context, keys: PersonKeys) -> Iterator[tuple[Any, ...]]:
    for event, record_id, version, subject in outcome.events:
        data, personal = codec.split_event(event)
        sealed = keys.seal_text(subject, personal) if personal else None
        on = getattr(event, "effective_on", None) or context.today
        yield str(uuid.uuid4()), event.stream, record_id, version, event.type_name(), on, data, sealed


def _notice(notice: Notice, now: dt.datetime) -> tuple[Any, ...]:
    facts = msgspec.json.encode(notice.facts).decode()
    return notice.template, notice.to, notice.about, facts, notice.urgent, now, now
