"""How one command travels: the only place where rules meet effects.

decode -> duty -> BEGIN; key, lock -> jurisdiction -> decide
       -> save, events, notices, audit, reply under the key -> COMMIT.
Two round trips where the rule needs nothing but its record: begin, key and lock; all that is written and the commit.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg import errors

from banyan.kernel.context import Caller, Context
from banyan.kernel.decision import Aggregate, Decision
from banyan.kernel.message import SYSTEM, Ask, Bulk, Command, Done, Query
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import access, audit, codec, many, questions
from banyan.runtime.commands.collect import collect, records_only, same_version
from banyan.runtime.commands.faults import persist, refusal_of, rolled_back, wait_or_refuse
from banyan.runtime.commands.orders import (
    ANSWER,
    FIRST,
    FORGET,
    KEY_DAYS,
    LOCK,
    NO_LOCK,
    REFUSAL,
    REPLAY,
    SYSTEM_TIMEOUT_S,
    Order,
)
from banyan.runtime.commands.portions import Held, Portions, written
from banyan.runtime.commands.settled import settled
from banyan.runtime.commands.statements import together
from banyan.runtime.commands.store import Db, locked, subject_of
from banyan.runtime.commands.write import Outcome, write_and_end
from banyan.runtime.host import clock, telemetry
from banyan.runtime.host.db import Pool
from banyan.runtime.host.reference import Reference
from banyan.runtime.host.service import Service
from banyan.vault.fields import Vault
from banyan.wire.bodies import decoded
from banyan.wire.rpc import Call


class Bus:
    """Executes the commands and answers the questions of one service."""

    def __init__(
        self, service: Service, pool: Pool, vault: Vault, reference: Reference, authenticate: Any, guard: Any
    ) -> None:
        self.service, self.pool, self.vault, self.reference = service, pool, vault, reference
        self._authenticate: Callable[[str | None], Caller] = authenticate
        self.guard = guard  # says whether the audit trail is sealed in time
        self._first = {c: FIRST.format(lock=_lock(d)) for c, d in service.decisions.items()}

    def execute(self, call: Call) -> bytes:
        """The JSON answer to one call; raises Refused."""
        ask = self.service.asks.get(call.method)
        if ask is None:
            raise Refused("unknown_command", service=self.service.name, method=call.method)
        message = decoded(call.body, ask)
        return persist(lambda: self._answer(call, ask, message), call.deadline_ms / 1000)

    def _answer(self, call: Call, ask: type[Ask], message: Ask) -> bytes:
        caller = access.require_duty(ask, self._authenticate(call.token) if call.token else None)
        if isinstance(message, Query):
            return msgspec.json.encode(self.ask(message, caller, call.traceparent))
        if not call.key:
            raise Refused("key_missing")
        assert isinstance(message, Command), "what is no question is a command"
        order = Order(message, caller, call.key, call.deadline_ms / 1000, call.traceparent)
        return self.run_bulk(order) if isinstance(message, Bulk) else self.run(order)

    def system(
        self,
        command: Command,
        key: str,
        traceparent: str | None = None,
        *,
        binds: bool = True,
        seconds: float = SYSTEM_TIMEOUT_S,
    ) -> bytes:
        """Runs a command of our own reactions, schedules and jobs, as system:<service>, within so many seconds."""
        caller = self.service.system_caller
        access.require_duty(type(command), caller)
        return self.run(Order(command, caller, key, clock.epoch_s() + seconds, traceparent, binds))

    @contextmanager
    def own_db(self) -> Iterator[Db]:
        """A transaction for our own work (schedules, jobs, loading), as system:<service>, at the platform's time."""
        with self.pool.connection() as connection, connection.transaction():
            now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
            context = self.context(connection, self.service.system_caller, now, (SYSTEM,))
            yield Db(connection, self.vault, context, service=self.service.name)

    def run(self, order: Order) -> bytes:
        """The reply as JSON; the same bytes again for the same key. Retries what the database asks to retry."""
        decision = self.service.decisions[type(order.command)]
        unsealed = self.guard.check(type(order.command))
        with telemetry.span(f"{self.service.name}.{order.command.method()}", order.traceparent) as span:
            for attempt in range(1000):
                try:
                    return self._once(decision, order, unsealed, span)
                except Refused as refused:
                    self._bind_refusal(order, refused, span)
                    raise
                except (errors.SerializationFailure, errors.DeadlockDetected, psycopg.OperationalError) as error:
                    wait_or_refuse(error, attempt, order.deadline_s)
                except errors.InvalidSqlStatementName:
                    continue  # see `together`
                except errors.IntegrityError as error:
                    constraint = refusal_of(error)
                    self._bind_refusal(order, constraint, span)
                    raise constraint from None
            raise AssertionError("unreachable: the deadline ends the loop")

    def _once(self, decision: Decision, order: Order, unsealed: bool, span: telemetry.Span) -> bytes:
        command = order.command
        body_hash = order.body_hash()
        with self.pool.connection() as connection, rolled_back(connection):
            row = self._begin(connection, decision, order, body_hash)
            if not row[1]:
                reply = self._replay(connection, order, body_hash)
                if reply is None:
                    connection.commit()
                    raise errors.SerializationFailure("an expired refusal was forgotten; again")
                connection.commit()
                return reply
            context = self.context(connection, order.caller, row[0], command.may, order.key)
            outcome = Outcome()
            db = Db(connection, self.vault, context, service=self.service.name)
            done = self._decide(db, decision, command, row[2:], outcome, span.traceparent)
            return self._write(db, order, outcome, msgspec.structs.replace(done, audit_unsealed=unsealed), span)

    def _begin(self, connection: Any, decision: Decision, order: Order, body_hash: bytes) -> Any:
        expires = dt.datetime.fromtimestamp(order.deadline_s, dt.UTC)
        record_id = getattr(order.command, decision.key) if decision.key else None
        key = (order.caller.account, order.key, order.command.method(), body_hash, expires)
        first = (self._first[decision.command], (*key, record_id))
        return together(connection, order.begin(), first).fetchone()

    def kept_answer(self, connection: Any, order: Order) -> Done | Refused:
        """The answer that a key already has, as a value."""
        try:
            reply = self._replay(connection, order, order.body_hash())
        except Refused as refused:
            return refused
        return msgspec.json.decode(reply, type=Done) if reply else Refused("unavailable", part="key")

    def _replay(self, connection: Any, order: Order, body_hash: bytes) -> bytes | None:
        """The reply kept under the key; None where it was a refusal whose time is over, which is then forgotten."""
        row = connection.execute(REPLAY, (order.caller.account, order.key)).fetchone()
        if row is None:
            return None
        method, kept_hash, reply, refused, over = row
        if refused and over:
            connection.execute(FORGET, (order.caller.account, order.key))
            return None
        if (method, bytes(kept_hash)) != (order.command.method(), body_hash):
            raise Refused("key_reused", key=order.key, method=method)
        if refused:
            code, facts = msgspec.json.decode(reply)
            raise _Again(code, facts)
        return str(reply).encode()

    def context(
        self, connection: Any, caller: Caller, now: dt.datetime, may: tuple[str, ...], key: str = ""
    ) -> Context:
        """What a rule or view may know, at a transaction's time."""
        known = self.reference.current(connection)
        return Context(
            caller=caller,
            now=now,
            policy=known.policy,
            divisions=known.divisions,
            workdays=known.workdays,
            seed=os.urandom(16),
            key=key,
            may=may,
        )

    def _decide(
        self,
        db: Db,
        decision: Decision,
        command: Command,
        locked: Sequence[Any],
        outcome: Outcome,
        traceparent: str | None,
    ) -> Done:
        (version, body), context = locked, db.context
        record = codec.decode(body, decision.on) if body is not None else None
        if decision.key is None:
            access.reach_named(context, getattr(command, "division", "") or "", getattr(command, "field", None))
        elif record is None:
            raise Refused("not_found")
        else:
            access.reach_record(context, record)
            same_version(record, command, version)
        _open_for_rule(db, decision, record)
        also = self._lock_also(db.connection, decision, record, command)
        facts = {name: self.service.facts[name](db, [command], context)[0] for name in decision.facts}
        parts = {name: also.pop(name) for name in decision.portions}
        late = {name: also.pop(name) for name in decision.late}
        given = {name: records_only(found) for name, found in also.items()} | parts | late
        answer = decision.decide(record, command, context, **given, **facts)
        if parts:
            answer = written(answer, parts, decision, record, version, db, outcome, traceparent)
        also |= {name: held.in_hand for name, held in late.items()}
        return collect(outcome, decision, record, version, also, answer, context)

    def _lock_also(self, connection: Any, decision: Decision, record: Any, command: Command) -> dict[str, Any]:
        """The rule's other records, locked kind by kind in id order: name → (record, version), or a list of them."""
        found: dict[str, Any] = {}
        named = {**decision.also, **decision.portions, **decision.late}
        for name, (kind, source) in sorted(named.items(), key=lambda item: item[1][0].kind):
            wanted = getattr(command, source) if isinstance(source, str) else source(record, command)
            many = isinstance(wanted, tuple)
            ids = sorted(wanted or ()) if isinstance(wanted, tuple) else [wanted] if wanted else []
            if name in decision.portions or name in decision.late:
                found[name] = (Portions if name in decision.portions else Held)(connection, kind, ids)
                continue
            records = list(locked(connection, kind, ids))
            found[name] = records if many else (records[0] if records else None)
        return found

    def _write(self, db: Db, order: Order, outcome: Outcome, done: Done, span: telemetry.Span) -> bytes:
        """Writes all that the command changed and commits; answers its reply."""
        now = db.context.now
        end = settled(
            self.service, order, done, now=now, trace_id=span.trace_id, subjects=outcome.subjects, seen=db.seen
        )
        until = clock.utc_now() + dt.timedelta(days=KEY_DAYS)
        answer = (end.reply, until, order.caller.account, order.key)
        last = [(audit.INSERT, (now, end.audit_row)), (ANSWER, answer)]
        write_and_end(db.connection, outcome, db.context, db.keys, span.traceparent, last)
        return end.reply.encode()

    def _bind_refusal(self, order: Order, refused: Refused, span: telemetry.Span) -> None:
        """Keeps the refusal under the key until the deadline and notes it, in a transaction of its own."""
        if isinstance(refused, _Again) or refused.code in ("key_reused", "deadline_past", "unavailable"):
            return
        expires = dt.datetime.fromtimestamp(order.refused_until_s, dt.UTC)
        with self.pool.connection() as connection, connection.transaction():
            now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
            end = settled(self.service, order, refused, now=now, trace_id=span.trace_id)
            bound = (order.caller.account, order.key, order.command.method(), order.body_hash(), end.reply, expires)
            connection.execute(REFUSAL, (now, end.audit_row, *bound))

    def run_bulk(self, order: Order) -> bytes:
        """Many at once; see `many.run_bulk`."""
        return many.run_bulk(self, order)

    def ask(self, query: Query, caller: Caller, traceparent: str | None = None) -> Any:
        """The view's answer; see `questions.ask`."""
        return questions.ask(self, query, caller, traceparent)


class _Again(Refused):
    """A refusal that was already bound to its key and is now repeated."""

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(code, **facts)


def _lock(decision: Decision) -> str:
    return LOCK.format(kind=decision.on.kind) if decision.key else NO_LOCK


def _open_for_rule(db: Db, decision: Decision, record: Aggregate | None) -> None:
    for name in decision.open:
        value = getattr(record, name, None)
        if isinstance(value, Private):
            db.open_value(value, subject_of(record), name)  # type: ignore[arg-type]
