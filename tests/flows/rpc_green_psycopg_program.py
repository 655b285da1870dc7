"""Two greenlets wait on one lock of PostgreSQL: `patched` they go on, `late` (psycopg first) the start must stop.
Before that, one computes at length (a tenth of a second, without the interpreter's lock) while another goes on.

`python rpc_green_psycopg_program.py DATABASE_URL patched|late` prints `done` or the reason.
"""

from __future__ import annotations

import sys
import time

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

from services.identity.domain.secrets import password_fits  # noqa: E402

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


turns: list[float] = []


def goes_on() -> None:
    while True:
        turns.append(time.monotonic())
        eventlet.sleep(0.001)


other = eventlet.spawn(goes_on)
began = time.monotonic()
assert [password_fits("wrong", None) for _ in range(3)] == [False] * 3
lasted_s = time.monotonic() - began
other.kill()
longest_s = max(after - before for before, after in zip(turns, [*turns[1:], time.monotonic()], strict=True))
if longest_s > lasted_s / 2:
    sys.exit(f"nobody else ran for {longest_s:.3f} of {lasted_s:.3f} s")

for greenlet in [eventlet.spawn(waiter), eventlet.spawn(holder)]:
    greenlet.wait()
sys.stdout.write("done" if order == ["holder", "waiter"] else repr(order))
