"""What a rule may know: the day in Shanghai, ids that never repeat, and how far a grant reaches."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator

import pytest

from banyan.kernel.context import Caller, Context, Grant
from banyan.kernel.policy import Figure, Policy

XIAMEN, SIMING, TOWN, FUZHOU = "350200000000", "350203000000", "350203001000", "350100000000"
NIGHT = dt.datetime(2026, 12, 31, 16, 30, tzinfo=dt.UTC)


def _context(*grants: Grant, now: dt.datetime = NIGHT, seed: bytes = b"s", policy: Policy | None = None) -> Context:
    return Context(caller=Caller(account="a-1", grants=grants), now=now, policy=policy or Policy([]), seed=seed)


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati"])
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host that keeps another zone."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.mark.parametrize(
    ("hour", "minute", "today"),
    [(15, 59, "2026-12-31"), (16, 0, "2027-01-01"), (16, 30, "2027-01-01"), (0, 0, "2026-12-31")],
)
def test_the_day_turns_at_sixteen_in_utc(host_zone: str, hour: int, minute: int, today: str) -> None:
    now = dt.datetime(2026, 12, 31, hour, minute, tzinfo=dt.UTC)
    assert _context(now=now).today.isoformat() == today


def test_the_same_instant_in_another_zone_is_the_same_day(host_zone: str) -> None:
    eastern = NIGHT.astimezone(dt.timezone(dt.timedelta(hours=-5)))
    assert _context(now=eastern).today == dt.date(2027, 1, 1)


def test_a_figure_changes_with_the_day_in_shanghai() -> None:
    rows = [
        Figure(name="hours", since=dt.date.fromisoformat(day), value=value, unit="小时", source="某文")
        for day, value in (("2021-01-01", 24), ("2027-01-01", 12))
    ]
    policy = Policy(rows)
    assert _context(policy=policy).figure("hours") == 12
    assert _context(policy=policy, now=NIGHT - dt.timedelta(hours=1)).figure("hours") == 24
    assert _context(policy=policy).figure("hours", on=dt.date(2026, 12, 31)) == 24


def test_a_grant_s_two_days_are_days_in_shanghai_and_both_belong_to_it() -> None:
    last = Grant(duty="registrar", division=XIAMEN, until=dt.date(2026, 12, 31))
    first = Grant(duty="registrar", division=XIAMEN, since=dt.date(2027, 1, 1))
    for grant, evening, night in ((last, True, False), (first, False, True)):
        assert _context(grant, now=NIGHT - dt.timedelta(hours=1)).holds(["registrar"], TOWN) is evening
        assert _context(grant).holds(["registrar"], TOWN) is night


@pytest.mark.parametrize(
    ("division", "field", "holds"),
    [(TOWN, "elderly", True), (SIMING, "elderly", True), (XIAMEN, "elderly", False), (FUZHOU, "elderly", False),
     (TOWN, "youth", False)],
)  # fmt: skip
def test_a_grant_reaches_down_and_not_up_or_aside_and_within_its_fields(division: str, field: str, holds: bool) -> None:
    grant = Grant(duty="registrar", division=SIMING, fields=("elderly",))
    assert _context(grant).holds(["registrar"], division, field) is holds
    assert _context(grant).holds(["station_lead"], division, field) is False


def test_ids_differ_are_ordered_by_time_and_follow_from_the_seed_alone() -> None:
    context, again = _context(seed=b"1"), _context(seed=b"1")
    drawn = [context.new_id("p") for _ in range(50)]
    assert len(set(drawn)) == 50
    assert [again.new_id("p") for _ in range(50)] == drawn
    later = _context(seed=b"1", now=NIGHT + dt.timedelta(milliseconds=1)).new_id("p")
    assert all(later > id for id in drawn)
    assert _context(seed=b"2").new_id("p") not in drawn
