"""Many commands in one transaction: facts and locks for all at once, few statements for all, an answer for each.

The rules are the same functions that decide one command. What a constraint refuses is found by halving the batch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import structlog
from psycopg import errors

from banyan.kernel.context import Context
from banyan.kernel.decision import Decision
from banyan.kernel.message import Command, Done
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import access, codec
from banyan.runtime.commands.collect import collect, same_version
from banyan.runtime.commands.faults import refusal_of, rolled_back, wait_or_refuse
from banyan.runtime.commands.orders import KEY_DAYS, Order
from banyan.runtime.commands.settled import Settled, settled
from banyan.runtime.commands.store import Db, subject_of
from banyan.runtime.commands.write import WAKE, Outcome, write
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
    orders = [replace(order, command=item, key=f"{order.key}:{number}") for number, item in enumerate(items)]
    if items and suits(bus.service.decisions[type(items[0])], items):
        found = run_many(bus, orders)
    else:
        found = [_one_by_itself(bus, one) for one in orders]
    return msgspec.json.encode({"items": [_told(one) for one in found]})


def _one_by_itself(bus: Bus, order: Order) -> Answer:
    try:
        return msgspec.json.decode(bus.run(order), type=Done)
    except Refused as refused:
        return refused


def _told(one: Answer) -> dict[str, Any]:
    if isinstance(one, Refused):
        return {"refused": {"code": one.code, "facts": dict(one.facts)}}
    return {"done": one}


def suits(decision: Decision, commands: Sequence[Command]) -> bool:
    """Whether a rule can be run for many at once: it locks only its own record, and no record comes twice."""
    if decision.also or decision.portions or decision.late or decision.open:
        return False
    ids = [getattr(command, decision.key) for command in commands] if decision.key else []
    return len(set(ids)) == len(ids)


def run_many(bus: Bus, orders: Sequence[Order]) -> list[Answer]:
    """Answers item by item, in order; all are one caller's, until one deadline, of one class that `suits`.

    A key seen before answers as before. Refuses `deadline_past` where the whole took longer, `unavailable` where the
    database could not be asked: what was committed by then is answered when the same keys are sent again.
    """
    first = orders[0]
    access.require_duty(type(first.command), first.caller)
    unsealed = bus.guard.check(type(first.command))
    answers: dict[str, Answer] = {}
    for attempt in range(1000):
        try:
            _halving(bus, orders, unsealed, answers)
            return [answers[order.key] for order in orders]
        except (errors.SerializationFailure, errors.DeadlockDetected, psycopg.OperationalError) as error:
            wait_or_refuse(error, attempt, first.deadline_s)
    raise AssertionError("unreachable: the deadline ends the loop")


def _halving(bus: Bus, orders: Sequence[Order], unsealed: bool, answers: dict[str, Answer]) -> None:
    try:
        answers.update(_together(bus, orders, unsealed))
    except errors.IntegrityError as error:
        if len(orders) == 1:
            answers[orders[0].key] = _refusal(error)
            return
        middle = len(orders) // 2
        _halving(bus, orders[:middle], unsealed, answers)
        _halving(bus, orders[middle:], unsealed, answers)


def _refusal(error: errors.IntegrityError) -> Refused:
    """The refusal of one item; our own mistake, where no catalogue knows the constraint, must not keep the others."""
    try:
        return refusal_of(error)
    except errors.IntegrityError:
        log.exception("约束未在拒绝目录中", constraint=error.diag.constraint_name)
        return Refused("internal")


def _together(bus: Bus, orders: Sequence[Order], unsealed: bool) -> dict[str, Answer]:
    command, caller = orders[0].command, orders[0].caller
    decision = bus.service.decisions[type(command)]
    name = f"{bus.service.name}.{command.method()}.many"
    with telemetry.span(name, orders[0].traceparent) as span, bus.pool.connection() as connection, rolled_back(connection):
        connection.execute(orders[0].begin(), prepare=False)
        now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
        fresh, again = _claim(bus, connection, orders)
        context = bus.context(connection, caller, now, command.may)
        db = Db(connection, bus.vault, context, service=bus.service.name)
        outcome = Outcome()
        locked = _lock(connection, decision, fresh)
        decided = _decide_all(bus, decision, fresh, locked, db, outcome)
        answers = {key: _marked(answer, unsealed) for key, answer in decided.items()}
        ends = _ends(bus, decision, fresh, answers, now, span, outcome)
        with connection.pipeline():
            write(connection, outcome, context, db.keys, span.traceparent)
            refused = [isinstance(answers[order.key], Refused) for order in fresh]
            replies = [end.reply for end in ends]
            connection.execute(REPLIES, ([order.key for order in fresh], replies, refused, caller.account))
            connection.execute(NOTE, (now, [end.audit_row for end in ends]))
            connection.execute("commit")
            if outcome.events:
                connection.execute(WAKE)
        return {**again, **answers}


def _marked(answer: Answer, unsealed: bool) -> Answer:
    return msgspec.structs.replace(answer, audit_unsealed=True) if unsealed and isinstance(answer, Done) else answer


def _claim(bus: Bus, connection: Any, orders: Sequence[Order]) -> tuple[list[Order], dict[str, Answer]]:
    """Which items are new, and the answers of those that are not."""
    caller, method = orders[0].caller, orders[0].command.method()
    until = clock.utc_now() + dt.timedelta(days=KEY_DAYS)
    keys, hashes = [order.key for order in orders], [order.body_hash() for order in orders]
    rows = connection.execute(KEYS, (caller.account, method, until, keys, hashes)).fetchall()
    new = {row[0] for row in rows}
    again = {order.key: bus.kept_answer(connection, order) for order in orders if order.key not in new}
    return [order for order in orders if order.key in new], again


def _lock(connection: Any, decision: Decision, orders: Sequence[Order]) -> dict[str, tuple[Any, int]]:
    """The records of all items, locked in id order: id → (record, version)."""
    if decision.key is None:
        return {}
    ids = sorted(getattr(order.command, decision.key) for order in orders)
    sql = f"select id, version, body::text from {decision.on.kind} where id = any(%s) order by id for update"
    rows = connection.execute(sql, (ids,)).fetchall()
    return {id: (codec.decode(body, decision.on), version) for id, version, body in rows}


def _decide_all(
    bus: Bus,
    decision: Decision,
    orders: Sequence[Order],
    locked: dict[str, tuple[Any, int]],
    db: Db,
    outcome: Outcome,
) -> dict[str, Answer]:
    if not orders:
        return {}
    commands = [order.command for order in orders]
    facts = {name: bus.service.facts[name](db, commands, db.context) for name in decision.facts}
    answers: dict[str, Answer] = {}
    for number, order in enumerate(orders):
        try:
            record, version = _its_record(db.context, decision, order.command, locked)
            its = {name: found[number] for name, found in facts.items()}
            decided = decision.decide(record, order.command, db.context, **its)
            answers[order.key] = collect(outcome, decision, record, version, {}, decided, db.context)
        except Refused as refused:
            answers[order.key] = refused
    return answers


def _its_record(context: Context, decision: Decision, command: Command, locked: Any) -> tuple[Any, int | None]:
    """The item's record after the same checks as one command's; each item answers for its own reach."""
    context.own_only = False
    if decision.key is None:
        access.reach_named(context, getattr(command, "division", ""), getattr(command, "field", None))
        return None, None
    record, version = locked.get(getattr(command, decision.key), (None, None))
    if record is None:
        raise Refused("not_found")
    access.reach_record(context, record)
    same_version(record, command, version)
    return record, version


def _ends(
    bus: Bus,
    decision: Decision,
    orders: Sequence[Order],
    answers: dict[str, Answer],
    now: dt.datetime,
    span: telemetry.Span,
    outcome: Outcome,
) -> list[Settled]:
    """The reply under each key and an audit row for each command."""
    of_record = {c.record.id: [subject_of(c.record)] for c in outcome.changes} if decision.on.subject else {}
    ends = []
    for order in orders:
        answer = answers[order.key]
        subjects = of_record.get(answer.id, ()) if isinstance(answer, Done) else ()
        ends.append(settled(bus.service, order, answer, now=now, trace_id=span.trace_id, subjects=subjects))
    return ends
