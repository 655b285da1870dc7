"""Many commands in one transaction: facts and locks for all at once, few statements for all, an answer for each.

The rules are the same functions that decide one command. What a constraint refuses is found by halving the batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from psycopg import errors

from banyan.kernel.context import Caller, Context
from banyan.kernel.decision import Decision
from banyan.kernel.message import Command, Done
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import access, audit, codec
from banyan.runtime.commands.collect import collect, same_version
from banyan.runtime.commands.faults import refusal_of, roll_back
from banyan.runtime.commands.keys import PersonKeys
from banyan.runtime.commands.orders import KEY_DAYS, Order
from banyan.runtime.commands.store import Db, subject_of
from banyan.runtime.commands.write import Outcome, write
from banyan.runtime.host import clock, telemetry

if TYPE_CHECKING:
    from banyan.runtime.commands.bus import Bus

log = structlog.get_logger()
Answer = Done | Refused
KEYS = (
    "insert into idempotency (caller, key, method, body_hash, expires_at)"
    " select %s, k.key, %s, k.hash, %s from unnest(%s::text[], %s::bytea[]) k(key, hash)"
    " on conflict do nothing returning key"
)
REPLIES = (
    "update idempotency i set reply = n.reply, refused = n.refused,"
    " expires_at = case when n.refused then now() + interval '1 day' else i.expires_at end"
    " from unnest(%s::text[], %s::text[], %s::boolean[]) n(key, reply, refused) where i.caller = %s and i.key = n.key"
)
NOTE = "insert into audit (at, row) select %s, row from unnest(%s::jsonb[]) n(row)"


def run_bulk(bus: Bus, order: Order) -> bytes:
    """Each item under the key `key:n` with its own answer: {"done": …} or {"refused": {"code": …, "facts": …}}."""
    items = order.command.items  # type: ignore[attr-defined]
    limit = type(order.command).limit  # type: ignore[attr-defined]
    if len(items) > limit:
        raise Refused("too_many", limit=limit, given=len(items))
    keys = [f"{order.key}:{number}" for number in range(len(items))]
    if items and suits(bus.service.decisions[type(items[0])], items):
        found = run_many(bus, items, order.caller, keys)
    else:
        found = [_one_by_itself(bus, order, item, key) for item, key in zip(items, keys, strict=True)]
    return msgspec.json.encode({"items": [_told(one) for one in found]})


def _one_by_itself(bus: Bus, order: Order, item: Command, key: str) -> Answer:
    try:
        reply = bus.run(Order(item, order.caller, key, order.deadline_s, order.traceparent))
    except Refused as refused:
        return refused
    return msgspec.json.decode(reply, type=Done)


def _told(one: Answer) -> dict[str, Any]:
    if isinstance(one, Refused):
        return {"refused": {"code": one.code, "facts": dict(one.facts)}}
    return {"done": one}


def suits(decision: Decision, commands: Sequence[Command]) -> bool:
    """Whether a rule can be run for many at once: it locks only its own record, and no record comes twice."""
    if decision.also or decision.open:
        return False
    ids = [getattr(command, decision.key) for command in commands] if decision.key else []
    return len(set(ids)) == len(ids)


def run_many(bus: Bus, commands: Sequence[Command], caller: Caller, keys: Sequence[str]) -> list[Answer]:
    """Answers item by item, in order; all are of one class that `suits`. A key seen before answers as before."""
    caller = access.require_duty(type(commands[0]), caller)
    bus.guard.check(type(commands[0]))
    answers: dict[str, Answer] = {}
    _halving(bus, list(zip(commands, keys, strict=True)), caller, answers)
    return [answers[key] for key in keys]


def _halving(bus: Bus, items: list[tuple[Command, str]], caller: Caller, answers: dict[str, Answer]) -> None:
    try:
        answers.update(_together(bus, items, caller))
    except errors.IntegrityError as error:
        if len(items) == 1:
            answers[items[0][1]] = _refusal(error)
            return
        middle = len(items) // 2
        _halving(bus, items[:middle], caller, answers)
        _halving(bus, items[middle:], caller, answers)


def _refusal(error: errors.IntegrityError) -> Refused:
    """The refusal of one item; our own mistake, where no catalogue knows the constraint, must not keep the others."""
    try:
        return refusal_of(error)
    except errors.IntegrityError:
        log.exception("约束未在拒绝目录中", constraint=error.diag.constraint_name)
        return Refused("internal")


def _together(bus: Bus, items: list[tuple[Command, str]], caller: Caller) -> dict[str, Answer]:
    decision = bus.service.decisions[type(items[0][0])]
    name = f"{bus.service.name}.{items[0][0].method()}.many"
    with telemetry.span(name, None) as span, bus.pool.connection() as connection:
        try:
            connection.execute("begin")
            now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
            fresh, again = _claim(bus, connection, items, caller)
            context = bus.context(caller, now, items[0][0].may)
            keys = PersonKeys(connection, bus.vault)
            outcome = Outcome()
            locked = _lock(connection, decision, fresh)
            answers = _decide_all(bus, decision, fresh, locked, connection, context, keys, outcome)
            with connection.pipeline():
                write(connection, outcome, context, keys, span.traceparent)
                _settle(bus, connection, decision, fresh, answers, caller, now, span, outcome)
                connection.execute("commit")
            return {**again, **answers}
        except BaseException:
            roll_back(connection)
            raise


def _claim(bus: Bus, connection: Any, items: Any, caller: Caller) -> tuple[list[Any], dict[str, Answer]]:
    """Which items are new, and the answers of those that are not."""
    method = items[0][0].method()
    until = clock.utc_now() + dt.timedelta(days=KEY_DAYS)
    hashes = [Order(command, caller, key, 0).body_hash() for command, key in items]
    rows = connection.execute(KEYS, (caller.account, method, until, [key for _, key in items], hashes)).fetchall()
    new = {row[0] for row in rows}
    again = {key: bus.kept_answer(connection, Order(c, caller, key, 0)) for c, key in items if key not in new}
    return [item for item in items if item[1] in new], again


def _lock(connection: Any, decision: Decision, items: Any) -> dict[str, tuple[Any, int]]:
    """The records of all items, locked in id order: id → (record, version)."""
    if decision.key is None:
        return {}
    ids = sorted(getattr(command, decision.key) for command, _ in items)
    sql = f"select id, version, body::text from {decision.on.kind} where id = any(%s) order by id for update"
    rows = connection.execute(sql, (ids,)).fetchall()
    return {id: (codec.decode(body, decision.on), version) for id, version, body in rows}


def _decide_all(
    bus: Bus,
    decision: Decision,
    items: Any,
    locked: dict[str, tuple[Any, int]],
    connection: Any,
    context: Context,
    keys: PersonKeys,
    outcome: Outcome,
) -> dict[str, Answer]:
    if not items:
        return {}
    db = Db(connection, bus.vault, context, keys, service=bus.service.name)
    commands = [command for command, _ in items]
    facts = {name: bus.service.facts[name](db, commands, context) for name in decision.facts}
    answers: dict[str, Answer] = {}
    for number, (command, key) in enumerate(items):
        try:
            record, version = _its_record(context, decision, command, locked)
            its = {name: found[number] for name, found in facts.items()}
            decided = decision.decide(record, command, context, **its)
            answers[key] = collect(outcome, decision, record, version, {}, decided, context)
        except Refused as refused:
            answers[key] = refused
    return answers


def _its_record(context: Context, decision: Decision, command: Command, locked: Any) -> tuple[Any, int | None]:
    """The item's record after the same checks as one command's; each item answers for its own reach."""
    context.own_only = False
    if decision.key is None:
        access.reach(context, getattr(command, "division", ""), getattr(command, "field", None))
        return None, None
    record, version = locked.get(getattr(command, decision.key), (None, None))
    if record is None:
        raise Refused("not_found")
    access.reach_record(context, record)
    same_version(record, command, version)
    return record, version


def _settle(
    bus: Bus,
    connection: Any,
    decision: Decision,
    items: Any,
    answers: dict[str, Answer],
    caller: Caller,
    now: dt.datetime,
    span: telemetry.Span,
    outcome: Outcome,
) -> None:
    """The reply under each key and an audit row for each command."""
    subjects = {c.record.id: subject_of(c.record) for c in outcome.changes}
    replies, refused, rows = [], [], []
    for command, key in items:
        answer = answers[key]
        no = isinstance(answer, Refused)
        replies.append(msgspec.json.encode([answer.code, dict(answer.facts)] if no else answer).decode())  # type: ignore[union-attr]
        refused.append(no)
        record = None if isinstance(answer, Refused) else answer.id
        rows.append(
            audit.row(
                service=bus.service.name,
                method=command.method(),
                caller=caller,
                at=now,
                outcome=answer.code if isinstance(answer, Refused) else "done",
                record=record,
                subjects=[subjects[record]] if record in subjects and decision.on.subject else [],
                trace_id=span.trace_id,
            )
        )
    connection.execute(REPLIES, ([key for _, key in items], replies, refused, caller.account))
    connection.execute(NOTE, (now, rows))
