"""Figures by day and division: the most specific wins, the newest in force wins, before the first row nothing is guessed."""

from __future__ import annotations

import datetime as dt
import importlib.util
from importlib import resources
from typing import Any

import pytest

from banyan.kernel.policy import Figure, Policy, seed_figures
from banyan.kernel.refusal import Refused

XIAMEN, SIMING, FUZHOU = "350200000000", "350203000000", "350100000000"
DAY = dt.date(2026, 7, 1)


def _figure(value: Any, since: str, division: str = "000000000000", name: str = "hours") -> Figure:
    return Figure(
        name=name, since=dt.date.fromisoformat(since), value=value, unit="小时", source="某文", division=division
    )


HOURS = Policy([_figure(24, "2021-01-01"), _figure(12, "2026-07-01"), _figure(6, "2024-01-01", XIAMEN)])


@pytest.mark.parametrize(
    ("on", "division", "value"),
    [
        ("2021-01-01", None, 24),
        ("2026-06-30", FUZHOU, 24),
        ("2026-07-01", FUZHOU, 12),
        ("2026-07-01", SIMING, 6),
        ("2023-12-31", SIMING, 24),
        ("2024-01-01", XIAMEN, 6),
        ("2026-07-01", None, 12),
    ],
)
def test_the_figure_of_a_day_and_a_place(on: str, division: str | None, value: int) -> None:
    assert HOURS.at("hours", dt.date.fromisoformat(on), division) == value


@pytest.mark.parametrize(("name", "on"), [("hours", dt.date(2020, 12, 31)), ("minutes", DAY)])
def test_before_the_first_row_nothing_is_guessed(name: str, on: dt.date) -> None:
    with pytest.raises(Refused) as refused:
        HOURS.at(name, on, SIMING)
    assert refused.value.code == "no_policy_in_force"
    assert refused.value.facts == {"figure": name, "on": on.isoformat(), "division": SIMING}


def test_a_refusal_is_not_remembered_as_an_answer() -> None:
    for _ in range(2):
        with pytest.raises(Refused):
            HOURS.at("hours", dt.date(2020, 1, 1), None)


def test_a_place_of_its_own_before_its_day_falls_back_on_the_wider_one() -> None:
    policy = Policy([_figure(24, "2021-01-01"), _figure(6, "2030-01-01", XIAMEN)])
    assert policy.at("hours", DAY, SIMING) == 24


def test_the_version_names_the_set_and_not_its_order() -> None:
    rows = HOURS.figures()
    assert Policy(reversed(rows)).version == HOURS.version
    assert Policy([*rows, _figure(1, "2040-01-01")]).version != HOURS.version
    assert Policy(rows[:-1]).version != HOURS.version


def test_a_seed_is_read_with_its_division_or_for_everywhere() -> None:
    text = """
        [[hours]]
        from = 2021-01-01
        value = [1, 2]
        unit = "小时"
        source = "某文"
        division = "350200000000"
        [[days]]
        from = 2021-01-01
        value = 3
        unit = "天"
        source = "某文"
    """
    hours, days = seed_figures(text)
    assert (hours.division, hours.value, days.division) == (XIAMEN, [1, 2], "000000000000")


@pytest.mark.parametrize("service", ["identity", "registry", "matching", "insight"])
def test_the_seeds_of_a_service_are_whole_numbers_or_words_with_a_source(service: str) -> None:
    assert importlib.util.find_spec(f"services.{service}")
    file = resources.files(f"services.{service}").joinpath("policy.toml")
    rows = seed_figures(file.read_text("utf-8")) if file.is_file() else []
    for row in rows:
        assert row.source and row.unit, row.name
        assert not isinstance(row.value, float), row.name
    keys = [(row.name, row.division, row.since) for row in rows]
    assert len(set(keys)) == len(keys), "no day has two values"


def test_answers_are_remembered_by_area_and_not_by_every_division_and_never_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = Policy([_figure(24, "2021-01-01"), _figure(6, "2024-01-01", XIAMEN)])
    for village in range(200):
        assert policy.at("hours", DAY, f"350203001{village:03}") == 6
        assert policy.at("hours", DAY, f"350102001{village:03}") == 24
    assert len(policy._memo) == 2
    monkeypatch.setattr("banyan.kernel.policy.MEMO_MOST", 10)
    for day in range(100):
        assert policy.at("hours", DAY + dt.timedelta(days=day), SIMING) == 6
    assert len(policy._memo) <= 10
