"""How a command is settled, alone or among many: the reply that its key keeps, and its row in the audit trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from banyan.kernel.message import Done
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import audit
from banyan.runtime.commands.orders import Order
from banyan.runtime.host.service import Service


@dataclass(frozen=True, slots=True)
class Settled:
    """Two texts of JSON. The reply is a `Done`, or [code, facts] of a refusal."""

    reply: str
    audit_row: str


def settled(
    service: Service,
    order: Order,
    answer: Done | Refused,
    *,
    now: dt.datetime,
    trace_id: str,
    subjects: Iterable[str] = (),
    seen: Mapping[str, Iterable[str]] | None = None,
) -> Settled:
    """Of a command that was done or refused; a refused one has changed and shown nothing, so its row names no person."""
    command, decision = order.command, service.decisions[type(order.command)]
    row = partial(
        audit.row, service=service.name, method=command.method(), caller=order.caller, at=now, trace_id=trace_id
    )
    if isinstance(answer, Refused):
        named = getattr(command, decision.key) if decision.key else None
        reply = msgspec.json.encode([answer.code, dict(answer.facts)])
        return Settled(reply.decode(), row(outcome=answer.code, record=named))
    done = row(
        outcome="done",
        record=answer.id,
        subjects=subjects,
        seen=seen,
        reason=getattr(command, "reason", None),
        unsealed=answer.audit_unsealed,
    )
    return Settled(msgspec.json.encode(answer).decode(), done)
