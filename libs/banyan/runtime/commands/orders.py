"""An order is a command with what travels beside it; its statements begin and end every command's transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from banyan.kernel.context import Caller
from banyan.kernel.message import Command
from banyan.runtime.commands import audit
from banyan.runtime.host import clock

KEY_DAYS = 35  # how long a reply is kept under its key
SYSTEM_TIMEOUT_S = 30.0  # of our own reactions and schedules

# A limit holds from the statement after the one that sets it: so it is set before the one that waits for locks.
BEGIN = b"begin; set local statement_timeout = %d; set local lock_timeout = %d"
ANSWER_MS = 500  # who waits for a lock gives up so long before the deadline, so that the caller still hears that nothing was done
FIRST = (
    "with fresh as (insert into idempotency (caller, key, method, body_hash, expires_at) values (%s, %s, %s, %s, %s)"
    " on conflict do nothing returning 1)"
    " select banyan_now(), exists (select 1 from fresh), r.version, r.body"
    " from (values (1)) one left join lateral ({lock}) r on true"
)
LOCK = "select version, body::text as body from {kind} where id = %s for update"
NO_LOCK = "select null::int as version, null::text as body where %s::text is not null"
ANSWER = "update idempotency set reply = %s, expires_at = %s where caller = %s and key = %s"
REPLAY = "select method, body_hash, reply, refused, expires_at < now() from idempotency where caller = %s and key = %s"
FORGET = "delete from idempotency where caller = %s and key = %s and refused and expires_at < now()"
REFUSAL = (
    "with noted as ("
    + audit.INSERT
    + ") insert into idempotency (caller, key, method, body_hash, reply, refused, expires_at)"
    " values (%s, %s, %s, %s, %s, true, %s) on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class Order:
    """One command with everything that travels beside it."""

    command: Command
    caller: Caller
    key: str
    deadline_s: float  # epoch seconds, real time
    traceparent: str | None = None
    binds: bool = True  # a refusal is kept under the key until the deadline; a reaction asks again under the same key

    @property
    def refused_until_s(self) -> float:
        """How long a refusal answers for the key; 0: the next try is a new one."""
        return self.deadline_s if self.binds else 0.0

    def begin(self) -> bytes:
        """Begins the transaction, with what remains until the deadline as limits in ms: at least 1, for 0 would mean none."""
        left_ms = max(2, int((self.deadline_s - clock.epoch_s()) * 1000))
        return BEGIN % (left_ms, max(left_ms - ANSWER_MS, left_ms // 2))

    def body_hash(self) -> bytes:
        """What a repeated key is compared by: the command's name and its canonical content."""
        return hashlib.sha256(type(self.command).__name__.encode() + msgspec.json.encode(self.command)).digest()
