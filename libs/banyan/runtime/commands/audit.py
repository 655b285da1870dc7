"""The audit trail's rows: who did or saw what, when, with which outcome; ids and codes only, never a personal value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from banyan.kernel.context import Caller

INSERT = "insert into audit (at, row) values (%s, %s::jsonb)"


def instant(at: dt.datetime) -> str:
    """2026-11-24T08:00:00.000Z: instants in proofs have milliseconds, always."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row(
    *,
    service: str,
    method: str,
    caller: Caller,
    at: dt.datetime,
    outcome: str,
    record: str | None = None,
    subjects: Iterable[str] = (),
    seen: Mapping[str, Iterable[str]] | None = None,
    reason: str | None = None,
    unsealed: bool = False,
    trace_id: str = "",
) -> str:
    """One row as JSON. `outcome`: done, seen, or the refusal's code; `seen`: person id → names of the opened fields."""
    entry: dict[str, Any] = {
        "service": service,
        "method": method,
        "actor": caller.account,
        "at": instant(at),
        "outcome": outcome,
        "subjects": sorted({*subjects, *(seen or ())}),
    }
    optional = {
        "person": caller.person,
        "record": record,
        "reason": reason,
        "trace_id": trace_id,
        "seen": {person: sorted(fields) for person, fields in (seen or {}).items()},
        "unsealed": unsealed,
    }
    entry.update({name: value for name, value in optional.items() if value})
    return msgspec.json.encode(entry).decode()
