"""The machine's hour, asked in this one place: deadlines, tokens and keys of signature live by it. The hour of a rule is
another one, that of its transaction (now() in the service's database), which the demo may move."""

from __future__ import annotations

import datetime as dt
import time


def epoch_s() -> float:
    """Real time in seconds since 1970."""
    return time.time()


def utc_now() -> dt.datetime:
    """Real time as a date and an hour in UTC."""
    return dt.datetime.now(dt.UTC)
