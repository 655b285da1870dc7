"""Long work over many rows: in chunks, each under its own key, so that a killed job goes on where it was.

A service declares what waits and how one is done; `turn` runs what waits and nobody else runs. The lock is the database
session's: it is gone with the process that held it. A chunk that was done but not noted is done again without effect.
An attempt counts from its beginning, so that one whose whole process is killed counts too; what ends by `stop` does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import structlog

from banyan.kernel.refusal import Refused
from banyan.runtime.commands.bus import Bus
from banyan.runtime.commands.store import Db
from banyan.runtime.host import memory

log = structlog.get_logger()
F = TypeVar("F", bound=Callable[..., Any])
RETRY_S = (1, 5, 30, 120, 600)  # pauses after a failure; the last one for all further ones

TABLES = """
create table job (
    id text primary key, done bigint not null default 0, total bigint, refused bigint not null default 0,
    attempts int not null default 0, trouble text, not_before timestamptz not null default now(),
    touched_at timestamptz not null default now(), finished_at timestamptz);
create table job_row (
    job_id text not null references job, row bigint not null, code text not null, facts jsonb not null,
    primary key (job_id, row));
"""
START = "insert into job (id) values (%s) on conflict do nothing"
BEGIN = (
    "update job set attempts = attempts + 1 where id = %s and not_before <= now() and finished_at is null"
    " returning done, refused, attempts"
)
SHOW = "update job set done = %s, total = %s, trouble = null, touched_at = now() where id = %s"
NOTE = (
    "update job set done = %s, total = %s, refused = refused + %s, attempts = 0, trouble = null, touched_at = now()"
    " where id = %s"
)
NOTE_ROW = (
    "insert into job_row (job_id, row, code, facts) select %s, n.row, n.code, n.facts"
    " from unnest(%s::bigint[], %s::text[], %s::jsonb[]) n(row, code, facts) on conflict do nothing"
)
FINISH = "update job set finished_at = now(), trouble = null where id = %s"
FAIL = "update job set trouble = %s, not_before = now() + %s, touched_at = now() where id = %s"
STOPPED = "update job set attempts = greatest(attempts - 1, 0) where id = %s"


@dataclass(frozen=True)
class Job:
    """What waits `(db) -> ids`, and how one is done `(run) -> None`."""

    name: str
    service: str
    waiting: Callable[[Db], Iterable[str]]
    work: Callable[[Run], None]


@dataclass
class Run:
    """One job in progress. `done` rows were taken in before; `note` says how far it is now, and what was refused.
    `attempt` counts from 1 since rows were last taken in."""

    id: str
    bus: Bus
    done: int = 0
    refused: int = 0
    attempt: int = 1
    stop: Callable[[], bool] = field(default=lambda: False)

    def note(self, done: int, total: int | None, refusals: Sequence[tuple[int, Refused]]) -> None:
        """Keeps progress and refused rows in one transaction."""
        rows = [row for row, _ in refusals]
        codes = [refused.code for _, refused in refusals]
        facts = [msgspec.json.encode(dict(refused.facts)).decode() for _, refused in refusals]
        with self.bus.pool.connection() as connection, connection.transaction():
            kept = connection.execute(NOTE_ROW, (self.id, rows, codes, facts)).rowcount if rows else 0
            connection.execute(NOTE, (done, total, kept, self.id))
        self.done, self.refused = done, self.refused + kept

    def show(self, done: int, total: int | None) -> None:
        """Shows progress that nobody keeps: the next attempt begins anew."""
        with self.bus.pool.connection() as connection:
            connection.execute(SHOW, (done, total, self.id))
        self.done = done


JOBS: list[Job] = []


def job(waiting: Callable[[Db], Iterable[str]]) -> Callable[[F], F]:
    """Registers how one piece of long work is done; `waiting` answers the ids of what is still to do."""

    def register(work: F) -> F:
        JOBS.append(Job(work.__name__, work.__module__.rsplit(".", 1)[0], waiting, work))
        return work

    return register


def turn(bus: Bus, stop: Callable[[], bool] = lambda: False) -> int:
    """Runs all jobs of the bus's service that wait and that no other process runs; answers how many it finished."""
    finished = 0
    for declared in JOBS:
        if declared.service == bus.service.package:
            for id in _waiting(bus, declared):
                finished += not stop() and _run(bus, declared, id, stop)
    return finished


def _waiting(bus: Bus, declared: Job) -> list[str]:
    with bus.own_db() as db:
        return list(declared.waiting(db))


def _run(bus: Bus, declared: Job, id: str, stop: Callable[[], bool]) -> bool:
    with _locked(bus, id) as connection:
        if connection is None:
            return False
        connection.execute(START, (id,))
        row = connection.execute(BEGIN, (id,)).fetchone()
        if row is None:
            return False
        done, refused, attempt = row
        run = Run(id, bus, done, refused, attempt, stop)
        try:
            declared.work(run)
        except Exception as error:
            pause = dt.timedelta(seconds=RETRY_S[min(run.attempt, len(RETRY_S)) - 1])
            connection.execute(FAIL, (repr(error)[:500], pause, id))
            log.warning("后台任务未完成，将重试", job=declared.name, id=id, error=repr(error), pause_s=pause.seconds)
            return False
        finally:
            memory.trim()
        if stop():
            connection.execute(STOPPED, (id,))
            return False
        connection.execute(FINISH, (id,))
        return True


@contextmanager
def _locked(bus: Bus, id: str) -> Iterator[Any]:
    """The connection that holds the job's lock, or None where another process has it."""
    with bus.pool.connection() as connection:
        sql = "select pg_try_advisory_lock(hashtext('banyan job'), hashtext(%s))"
        if not connection.execute(sql, (id,)).fetchone()[0]:  # type: ignore[index]
            yield None
            return
        try:
            yield connection
        finally:
            connection.execute("select pg_advisory_unlock(hashtext('banyan job'), hashtext(%s))", (id,))
