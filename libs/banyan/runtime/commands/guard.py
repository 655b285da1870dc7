"""While the audit trail cannot be sealed in time nothing is written, save what a person in need depends on."""

from __future__ import annotations

import time
from typing import Any

import structlog

from banyan.kernel.message import Ask
from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from banyan.runtime.host.db import Pool, given_or_own

WARN_S, STOP_S, LOOK_S = 180, 900, 5
log = structlog.get_logger()


class SealGuard:
    """Knows the age of the oldest unsealed audit row, in real time, at most five seconds old."""

    def __init__(self, service: str, pool: Pool) -> None:
        self._service, self._pool = service, pool
        self._age_s = 0.0
        self._looked_at = 0.0

    def check(self, ask: type[Ask], connection: Any = None) -> bool:
        """True where the act must be marked as unsealed; refuses `audit_unsealed` where it may not go on.
        Who has a connection gives it (see `given_or_own`)."""
        if time.monotonic() - self._looked_at > LOOK_S:
            with given_or_own(connection, self._pool) as its:
                self._look(its)
        if self._age_s <= STOP_S:
            return False
        if not ask.lifeline:
            raise Refused("audit_unsealed", oldest_s=int(self._age_s), limit_s=STOP_S)
        return True

    def _look(self, connection: Any) -> None:
        self._looked_at = time.monotonic()
        sql = "select coalesce(extract(epoch from now() - min(noted_at)), 0)::bigint from unsealed"
        self._age_s = float(connection.execute(sql).fetchone()[0])
        telemetry.UNSEALED_SECONDS.labels(self._service).set(self._age_s)
        if self._age_s > WARN_S:
            log.warning("审计记录未能及时封存", service=self._service, oldest_s=self._age_s)
