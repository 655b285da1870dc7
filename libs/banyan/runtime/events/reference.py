"""Keeps the service's copy of identity's reference data and revocations; the same few lines in every service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from banyan.contracts import identity
from banyan.kernel.message import Event
from banyan.runtime.events.subscribe import Item, event_of
from banyan.runtime.host.reference import ACCOUNTS, STREAM

PUT = (
    "insert into reference (kind, key, body) select * from unnest(%s::text[], %s::text[], %s::jsonb[])"
    " on conflict (kind, key) do update set body = excluded.body"
)
STREAMS = (STREAM, ACCOUNTS)
KINDS: dict[str, type[Event]] = {
    event.type_name(): event
    for event in (
        identity.DivisionsLoaded,
        identity.FiguresSet,
        identity.WorkdaysLoaded,
        identity.CompetenceChanged,
        identity.SigningKeyPublished,
        identity.PartnerAgreed,
        identity.GrantRevoked,
        identity.TokensRevoked,
        identity.SessionRevoked,
    )
}


def keep(connection: Any, stream: str, items: Sequence[Item]) -> None:
    """Folds a batch; a later row of the same key replaces the earlier one."""
    rows: dict[tuple[str, str], str] = {}
    for item in items:
        event = event_of(item, KINDS)
        if event is not None:
            for kind, key, body in _rows(event):
                rows[kind, key] = msgspec.json.encode(body).decode()
    if rows:
        kinds, keys = zip(*rows, strict=True)
        connection.execute(PUT, (list(kinds), list(keys), list(rows.values())))


def _rows(event: Any) -> list[tuple[str, str, Any]]:
    match event:
        case identity.DivisionsLoaded():
            return [("division", f"{row.code}|{row.from_on or ''}", row) for row in event.rows]
        case identity.FiguresSet():
            return [("figure", f"{row.name}|{row.division}|{row.since}", row) for row in event.rows]
        case identity.WorkdaysLoaded():
            span = {"known_from": event.known_from, "known_until": event.known_until}
            known = ("workdays_known", str(event.known_from), span)
            return [known, *(("workday", str(row.on), row) for row in event.rows)]
        case identity.CompetenceChanged():
            it = event.competence
            return [("competence", f"{it.duty}|{it.division}|{it.since}", it)]
        case identity.SigningKeyPublished():
            return [("signing_key", f"{event.use}|{event.kid}", event)]
        case identity.PartnerAgreed():
            return [("partner", event.partner, event)]
        case _:
            return [_revoked(event)]


def _revoked(event: Any) -> tuple[str, str, Any]:
    match event:
        case identity.GrantRevoked():
            return ("revoked", f"grant|{event.grant_id}", {"at": event.at})
        case identity.SessionRevoked():
            return ("revoked", f"session|{event.session_id}", {"at": event.at})
        case _:
            return ("revoked", f"account|{event.account_id}", {"at": event.before})
