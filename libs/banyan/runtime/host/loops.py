"""The turning parts of `banyan work`: plain threads that never die of an error and stop when they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import structlog
from prometheus_client import Counter

log = structlog.get_logger()
ERRORS = Counter("banyan_loop_errors_total", "Turns of a loop that failed and are tried again", ["loop"])
LONGEST_PAUSE_S = 5.0


def nothing() -> None:
    """What a loop does after an error unless it is told."""


class Loop(threading.Thread):
    """Turns until stopped. `turn` answers True where there may be more at once; an error means a pause, then again."""

    def __init__(self, name: str, turn: Callable[[], bool], *, pause_s: float, failed: Callable[[], None] = nothing):
        super().__init__(name=name, daemon=True)
        self._turn, self._pause_s, self._failed = turn, pause_s, failed
        self.stopping = threading.Event()
        self.turned_at = time.monotonic()  # of the last turn that did not fail

    def run(self) -> None:
        """The thread."""
        errors = 0
        while not self.stopping.is_set():
            try:
                more = self._turn()
                self.turned_at, errors = time.monotonic(), 0
            except Exception as error:  # the part must come back by itself, whatever went wrong
                errors += 1
                more = False
                self._note(error, errors)
            if not more:
                self.stopping.wait(self._pause_s if not errors else min(0.1 * 2**errors, LONGEST_PAUSE_S))

    def _note(self, error: Exception, errors: int) -> None:
        ERRORS.labels(self.name).inc()
        log.warning("本轮未成，稍后再试", loop=self.name, errors=errors, error=repr(error), exc_info=errors == 1)
        self._failed()

    def stop(self) -> None:
        """Asks the loop to end after this turn."""
        self.stopping.set()


class Leader:
    """At most one holder in the cluster, by a session's advisory lock; lost with the connection, taken by the next."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._connection: psycopg.Connection | None = None

    def leads(self) -> bool:
        """True while this process holds the lock; tries to get it where it does not."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, application_name=f"banyan {self._name}")
                sql = "select pg_try_advisory_lock(hashtext(%s))"
                if not self._connection.execute(sql, (self._name,)).fetchone()[0]:  # type: ignore[index]
                    self.resign()
                    return False
            self._connection.execute("select 1")
        except psycopg.Error:
            self.resign()
            raise
        return True

    def wait_for(self, channel: str, timeout_s: float) -> None:
        """Waits until somebody notifies a channel, or for a time."""
        if self._connection is not None:
            self._connection.execute(f"listen {channel}")
            for _ in self._connection.notifies(timeout=timeout_s, stop_after=1):
                return

    def resign(self) -> None:
        """Gives the lock up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def led(leader: Leader, turn: Callable[[], bool]) -> Callable[[], bool]:
    """A turn that only the leader takes."""

    def lead() -> bool:
        return leader.leads() and turn()

    return lead
