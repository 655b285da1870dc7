"""Working days: holidays, make-up days, and the day after which the calendar is not known."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banyan.kernel.refusal import Refused
from banyan.kernel.workdays import Calendar
from services.identity.data import calendar


def test_a_holiday_on_a_weekday_and_a_make_up_day_on_a_weekend() -> None:
    assert not calendar().is_workday(date(2025, 10, 1))
    assert calendar().is_workday(date(2025, 9, 28))  # a Sunday, worked for the National Day week
    assert calendar().is_workday(date(2025, 9, 24)) and not calendar().is_workday(date(2025, 9, 20))


def test_publicity_of_five_working_days_over_the_national_day_week() -> None:
    deadline = calendar().add_workdays(date(2025, 9, 30), 5)
    assert (deadline.on, deadline.provisional) == (date(2025, 10, 14), False)


def test_no_days_means_this_working_day_or_the_next() -> None:
    assert calendar().add_workdays(date(2025, 9, 30), 0).on == date(2025, 9, 30)
    assert calendar().add_workdays(date(2025, 10, 1), 0).on == date(2025, 10, 9)


def test_past_the_known_day_a_deadline_says_that_it_is_provisional() -> None:
    assert not calendar().add_workdays(date(2026, 12, 24), 5).provisional
    late = calendar().add_workdays(date(2026, 12, 28), 5)
    assert late.provisional and late.on > date(2026, 12, 31)
    listed = Calendar({date(2027, 1, 1): False}, date(2026, 1, 1), date(2027, 12, 31))
    assert listed.add_workdays(date(2026, 12, 31), 1) == listed.add_workdays(date(2027, 1, 1), 1)
    assert not listed.add_workdays(date(2026, 12, 31), 1).provisional


def test_before_the_first_list_it_refuses() -> None:
    with pytest.raises(Refused) as no:
        calendar().is_workday(date(2003, 12, 31))
    assert no.value.code == "calendar_unknown"


def test_the_file_holds_exceptions_only() -> None:
    exceptions = calendar().exceptions
    assert len(exceptions) > 300 and all(works != (day.weekday() < 5) for day, works in exceptions.items())


@given(st.dates(date(2004, 1, 1), date(2030, 1, 1)), st.integers(1, 60))
def test_counting_there_and_back_agrees(start: date, n: int) -> None:
    deadline = calendar().add_workdays(start, n)
    assert calendar().is_workday(deadline.on)
    assert calendar().workdays_between(start, deadline.on) == n
