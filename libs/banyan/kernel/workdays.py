"""Working days 工作日: weekdays, but for the State Council's holidays and make-up days, known until a stated day.

The exceptions are dated data. Past `known_until` an answer is computed from weekdays alone and says that it is
provisional; whoever keeps such a deadline recomputes it when the next list is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

import msgspec

from banyan.kernel.refusal import Refused

SATURDAY = 5
ONE_DAY = timedelta(days=1)


class Deadline(msgspec.Struct, frozen=True):
    """A day computed in working days; `provisional` says that the calendar was not known that far."""

    on: date
    provisional: bool


class Calendar:
    """The mainland calendar: `exceptions` maps a day to whether one works on it, against the rule of the week."""

    def __init__(self, exceptions: Mapping[date, bool], known_from: date, known_until: date) -> None:
        if known_until < known_from:
            raise ValueError("a calendar is known from a day until that day or a later one")
        self.exceptions: Mapping[date, bool] = MappingProxyType(dict(exceptions))
        self.known_from = known_from
        self.known_until = known_until

    def knows(self, day: date) -> bool:
        """Whether the State Council's list covers a day."""
        return self.known_from <= day <= self.known_until

    def is_workday(self, day: date) -> bool:
        """Whether one works on a day; past `known_until` the weekday decides, so ask `knows` too. Refuses
        `calendar_unknown` before `known_from`, where no later list will ever help."""
        if day < self.known_from:
            raise Refused("calendar_unknown", on=day.isoformat(), known_from=self.known_from.isoformat())
        return self.exceptions.get(day, day.weekday() < SATURDAY)

    def add_workdays(self, start: date, n: int) -> Deadline:
        """The n-th working day after `start` (itself not counted); n = 0 is `start` or the next working day."""
        if n < 0:
            raise ValueError("working days are counted forward")
        day = start
        left = n if n else int(not self.is_workday(start))
        while left:
            day += ONE_DAY
            left -= self.is_workday(day)
        return Deadline(on=day, provisional=not self.knows(day))

    def workdays_between(self, start: date, end: date) -> int:
        """How many working days lie after `start` up to and including `end`; 0 if `end` is not later."""
        return sum(self.is_workday(start + timedelta(days=i)) for i in range(1, (end - start).days + 1))
