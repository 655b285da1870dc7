"""Two greenlets wait on one lock of PostgreSQL: `patched` they go on, `late` (psycopg first) the start must stop.

`python rpc_green_psycopg_program.py DATABASE_URL patched|late` prints `done` or the reason.
"""

from __future__ import annotations

import sys

from banyan.runtime.rpc import green

if sys.argv[2] == "late":
    import psycopg
try:
    green.patch()
except RuntimeError as error:
    sys.exit(str(error))
green.green_psycopg()

import eventlet  # noqa: E402
import psycopg  # noqa: E402
from eventlet.event import Event  # noqa: E402

LOCK = "select pg_advisory_lock(7)"
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
held, order = Event(), []


def holder() -> None:
    with psycopg.connect(sys.argv[1], autocommit=True) as one, psycopg.connect(sys.argv[1], autocommit=True) as watch:
        one.execute(LOCK)
        held.send()
        while watch.execute(WAITING).fetchall() == [(0,)]:
            eventlet.sleep(0.01)
        order.append("holder")


def waiter() -> None:
    held.wait()
    with psycopg.connect(sys.argv[1], autocommit=True) as two:
        two.execute(LOCK)
        order.append("waiter")


for greenlet in [eventlet.spawn(waiter), eventlet.spawn(holder)]:
    greenlet.wait()
sys.stdout.write("done" if order == ["holder", "waiter"] else repr(order))
