"""What goes wrong between a command and its database, and the clear answer to each."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from banyan.kernel.refusal import Refused, catalogue
from banyan.runtime.host import clock

RETRY_AFTER_S = 5


def roll_back(connection: Any) -> None:
    """Ends a failed transaction; a connection that cannot even do that is closed, and the pool makes another."""
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


@contextmanager
def rolled_back(connection: Any) -> Iterator[None]:
    """Rolls back what fails inside. Where a partition was made under a row on its way to the default one, it raises what
    asks for another try."""
    try:
        yield
    except BaseException as error:
        roll_back(connection)
        if isinstance(error, errors.CheckViolation) and _partitioned(error):
            raise errors.SerializationFailure("a partition was made meanwhile; again") from error
        raise


def _partitioned(error: errors.CheckViolation) -> bool:
    return error.diag.constraint_name is None and error.diag.table_name in ("audit_rest", "log_rest")


def persist(work: Callable[[], bytes], deadline_s: float) -> bytes:
    """The answer of what may be done twice: a question, or a command under its key. A database that fails is asked again
    while there is time; then it is refused as `unavailable`, or `deadline_past`."""
    for attempt in itertools.count():
        try:
            return work()
        except psycopg.OperationalError as error:
            wait_or_refuse(error, attempt, deadline_s)
    raise AssertionError("unreachable: the deadline ends the loop")


def wait_or_refuse(error: psycopg.Error, attempt: int, deadline_s: float) -> None:
    """Waits before the next try, or says that time is over. The key makes a second try safe after a lost connection."""
    if isinstance(error, errors.QueryCanceled):
        raise Refused("deadline_past") from None
    if isinstance(error, errors.LockNotAvailable):  # another holds it for longer than this caller can wait
        raise Refused("record_busy", retry_after=RETRY_AFTER_S) from None
    if isinstance(error, errors.ProgramLimitExceeded):  # a text too long for an index: no later try takes it either
        raise Refused("too_large", part="text") from None
    pause = random.uniform(0, min(0.05 * 2 ** min(attempt, 5), 1.0))
    if clock.epoch_s() + pause >= deadline_s:
        raise Refused("unavailable", part="database") from None
    time.sleep(pause)


def refusal_of(error: errors.IntegrityError) -> Refused:
    """A constraint's name is a refusal's code; a constraint that no catalogue knows is our own mistake."""
    name = error.diag.constraint_name or ""
    if name in catalogue():
        return Refused(name)
    raise error
