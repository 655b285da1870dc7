"""The service's copy of identity's reference data: figures, divisions, working days, public keys, revocations.

The copy is kept by the subscription `reference` (banyan.runtime.events.reference). All copies at one position of the
stream are equal, so the services of one process share what they read.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from banyan.kernel.divisions import Division, Tree
from banyan.kernel.policy import Figure, Policy
from banyan.kernel.workdays import Calendar
from banyan.runtime.auth import Revocations
from banyan.runtime.host import clock
from banyan.runtime.host.db import Pool, given_or_own

STREAM, ACCOUNTS = "identity.reference", "identity.account"
SUBSCRIPTION = "reference"
LOOK_S = 2.0  # how old a copy in memory may be
REMEMBER = dt.timedelta(minutes=30)  # longer than any token lives
REVOKED = (
    "select key, iso_instant(body ->> 'at') from reference where kind = 'revoked' and iso_instant(body ->> 'at') > %s"
)


@dataclass(frozen=True)
class Known:
    """All reference data at one position."""

    position: int
    policy: Policy
    divisions: Tree | None
    workdays: Calendar | None
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)


_SHARED: dict[int, Known] = {}
_READING = threading.Lock()


class Reference:
    """Answers the newest copy, looking at the database at most every two seconds."""

    def __init__(self, pool: Pool, *, seeds: list[Figure] | None = None) -> None:
        self._pool, self._seeds = pool, seeds or []
        self._known: Known | None = None
        self._looked_at = 0.0
        self._revocations = Revocations()

    def current(self, connection: Any = None) -> Known:
        """The copy now; the first call reads it. Who has a connection gives it (see `given_or_own`)."""
        if self._known is None or time.monotonic() - self._looked_at > LOOK_S:
            with given_or_own(connection, self._pool) as its:
                self._look(its)
        assert self._known is not None
        return self._known

    def revoked(self, account: str, jti: str, iat: int, grants: tuple[str, ...]) -> bool:
        """Whether a token is void; at most two seconds behind the copy."""
        self.current()
        return self._revocations(account, jti, iat, grants)

    def token_keys(self) -> dict[str, dict[str, str]]:
        """kid → JWK of identity's published keys whose tokens are believed now."""
        now = clock.utc_now()
        found = {}
        for row in self.current().keys.values():
            until = row.get("until_at")
            if row["use"] == "token" and (until is None or dt.datetime.fromisoformat(until) > now):
                found[row["kid"]] = row["jwk"]
        return found

    def retired_keys(self) -> set[str]:
        """The kids that identity has said no token may be signed with any more."""
        now = clock.utc_now()
        ended = (r for r in self.current().keys.values() if r["use"] == "token" and r.get("until_at"))
        return {row["kid"] for row in ended if dt.datetime.fromisoformat(row["until_at"]) <= now}

    def _look(self, connection: Any) -> None:
        self._looked_at = time.monotonic()
        sql = "select coalesce(max(position), 0) from cursor where subscription = %s and stream = %s"
        position = connection.execute(sql, (SUBSCRIPTION, STREAM)).fetchone()[0]
        self._fold_revocations(connection)
        if self._known is None or self._known.position != position:
            self._known = self._shared(connection, position)

    def _fold_revocations(self, connection: Any) -> None:
        rows = connection.execute(REVOKED, (clock.utc_now() - REMEMBER,)).fetchall()
        for key, at in rows:
            kind, _, value = key.partition("|")
            self._revocations.note(kind, value, int(at.timestamp()))
        self._revocations.forget(clock.epoch_s())

    def _shared(self, connection: Any, position: int) -> Known:
        if position == 0:
            return Known(0, Policy(self._seeds), None, None)
        with _READING:
            if position not in _SHARED:
                _SHARED.clear()
                _SHARED[position] = _read(connection, position)
            return _SHARED[position]


def _read(connection: Any, position: int) -> Known:
    rows: dict[str, list[tuple[str, str]]] = {}
    for kind, key, body in connection.execute("select kind, key, body::text from reference").fetchall():
        rows.setdefault(kind, []).append((key, body))
    figures = [msgspec.json.decode(body, type=Figure) for _, body in rows.get("figure", [])]
    divisions = [msgspec.json.decode(body, type=Division) for _, body in rows.get("division", [])]
    keys = {key: msgspec.json.decode(body) for key, body in rows.get("signing_key", [])}
    return Known(position, Policy(figures), Tree(divisions) if divisions else None, _calendar(rows), keys)


def _calendar(rows: dict[str, list[tuple[str, str]]]) -> Calendar | None:
    spans = [msgspec.json.decode(body) for _, body in rows.get("workdays_known", [])]
    if not spans:
        return None
    days = [msgspec.json.decode(body) for _, body in rows.get("workday", [])]
    exceptions = {dt.date.fromisoformat(d["on"]): bool(d["workday"]) for d in days}
    known_from = min(dt.date.fromisoformat(s["known_from"]) for s in spans)
    known_until = max(dt.date.fromisoformat(s["known_until"]) for s in spans)
    return Calendar(exceptions, known_from, known_until)
