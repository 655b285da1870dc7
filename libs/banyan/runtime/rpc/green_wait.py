"""How psycopg waits for its socket in a green process: on eventlet's hub itself.

psycopg's own choice for such a process, `wait_selector`, makes a selector for each wait, which eventlet turns into four
calls of the hub: twice as dear, and every statement waits.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

from eventlet.green import select
from eventlet.hubs import trampoline
from psycopg import errors, waiting

READ, WRITE = waiting.WAIT_R, waiting.WAIT_W


def wait(gen: Any, fileno: int, interval: float = 0.0, timeout: float | None = None) -> Any:
    """psycopg's wait function: drives the generator, which says what it waits for, and answers its result."""
    until = None if timeout is None else monotonic() + timeout
    try:
        wanted = next(gen)
        while True:
            pause_s = interval if until is None else max(0.0, min(interval, until - monotonic()))
            wanted = gen.send(_ready(fileno, wanted, pause_s))
            if until is not None and monotonic() >= until:
                raise errors._WaitTimeout("wait timeout expired")
    except StopIteration as end:
        return end.value


def _ready(fileno: int, wanted: int, pause_s: float) -> int:
    """What the socket is ready for; nothing (0) when the pause is over first."""
    if wanted == READ | WRITE:
        reads, writes, _ = select.select([fileno], [fileno], [], pause_s)
        return (READ if reads else 0) | (WRITE if writes else 0)
    try:
        trampoline(fileno, read=wanted == READ, write=wanted == WRITE, timeout=pause_s, timeout_exc=TimeoutError)
    except TimeoutError:
        return _nothing(fileno)
    return wanted


def _nothing(fileno: int) -> int:
    """Not ready (0); refuses a socket that was closed meanwhile, which would never be."""
    try:
        os.fstat(fileno)
    except OSError as error:
        raise errors.OperationalError("connection socket closed") from error
    return 0


def install() -> None:
    """From now on psycopg waits so. Its module has the function as a name that every wait looks up."""
    waiting.wait = wait
