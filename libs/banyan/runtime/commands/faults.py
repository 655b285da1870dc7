"""What goes wrong between a command and its database, and the clear answer to each."""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg
from psycopg import errors

from banyan.kernel.refusal import Refused, catalogue
from banyan.runtime.host import clock


def roll_back(connection: Any) -> None:
    """Ends a failed transaction; a connection that cannot even do that is closed, and the pool makes another."""
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


def wait_or_refuse(error: psycopg.Error, attempt: int, deadline_s: float) -> None:
    """Waits before the next try, or says that time is over. The key makes a second try safe after a lost connection."""
    if isinstance(error, errors.QueryCanceled):
        raise Refused("deadline_past") from None
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
