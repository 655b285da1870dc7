"""The duty board on real PostgreSQL: each thing that needs a person, most urgent first, and nothing that is not theirs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.context import SHANGHAI
from banyan.kernel.refusal import Refused
from tests.flows.matching_platform import Platform, matching_on, taken, triaged, workers
from tests.rules.matching_given import CITY, COUNTY, DUTY, LEAD, PROVINCE, PROVINCIAL, TOWN, by, caller

GUARDED = {"confidentiality": "protected", "protected_kind": "violence", "separate_consent": True}


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Iterator[Platform]:
    """A fresh matching for each test."""
    with matching_on(database, tmp_path) as running:
        yield running


def today(platform: Platform) -> dt.date:
    now: dt.datetime = platform.rows("select banyan_now()")[0][0]
    return now.astimezone(SHANGHAI).date()


def kinds(board: Any) -> list[tuple[str, str]]:
    return [(item.kind, item.request_id) for item in board.items]


def dispatched(platform: Platform) -> str:
    """A request whose offer was delivered."""
    id = triaged(platform)
    platform.do(LEAD, m.DispatchNext(request_id=id))
    platform.tick(minutes=1)
    return id


def test_the_board_says_what_needs_a_person_now_most_urgent_first(platform: Platform) -> None:
    workers(platform, 1)
    overdue = dispatched(platform)
    platform.do(by("a-w0"), m.AcceptOffer(request_id=overdue))
    platform.tick(hours=98)
    ending = dispatched(platform)
    assert [kind for kind, _ in kinds(platform.ask(DUTY, m.DutyBoard()))] == []
    platform.tick(hours=23, minutes=10)
    held = triaged(platform, field="welfare")
    mine = triaged(platform, field="welfare")
    platform.do(DUTY, m.HandOver(request_id=mine, division=COUNTY, account="acc-duty", reason="本人跟进"))
    far = today(platform) + dt.timedelta(days=3)
    turns = (
        Turn(account="acc-duty", since=today(platform), until=far),
        Turn(account="acc-next", since=far, until=far + dt.timedelta(days=9)),
    )
    platform.do(PROVINCIAL, m.OpenRoster(division=COUNTY, turns=turns))
    crisis = taken(platform, urgency=3)
    guarded = taken(platform, urgency=3, **GUARDED)
    platform.tick(minutes=6)

    board = platform.ask(DUTY, m.DutyBoard())
    assert kinds(board) == [
        ("crisis", crisis), ("crisis", guarded), ("mine", mine), ("held", held), ("start_overdue", overdue),
        ("offer_ending", ending),
    ]  # fmt: skip
    assert (board.call_first, board.not_shown) == (("110", "120", "12356"), 0)
    assert board.counts == {
        "crisis": 2, "mine": 1, "held": 1, "report_open": 0, "start_overdue": 1, "offer_ending": 1,
    }  # fmt: skip
    first, second, _, _, late, offer = board.items
    assert (first.tier, first.rung, first.next_tier) == (PROVINCE, 1, PROVINCE)  # no roster in the city
    assert (first.age_min, first.due_in_min) == (6, 3) and second.division == COUNTY
    assert late.worker_id == offer.worker_id == "a-w0"
    assert late.due_in_min < -60 < 0 < offer.due_in_min < 60
    county, city, province = board.on_duty
    assert (county.division, county.accounts) == (COUNTY, ("acc-duty",))
    assert (county.changes_on, county.then) == (far, ("acc-duty", "acc-next"))
    assert (city.accounts, province.accounts, city.changes_on) == ((), (), None)

    seen: list[tuple[str, str]] = []
    page = platform.ask(DUTY, m.DutyBoard(limit=1))
    while True:
        seen += kinds(page)
        if page.next is None:
            break
        page = platform.ask(DUTY, m.DutyBoard(limit=1, after=page.next))
    assert seen == kinds(board)

    platform.do(DUTY, m.AcknowledgeCrisis(request_id=crisis))
    assert kinds(platform.ask(DUTY, m.DutyBoard()))[:3] == [("crisis", guarded), ("mine", crisis), ("mine", mine)]


def test_the_protected_are_a_number_and_other_places_are_not_there(platform: Platform) -> None:
    platform.do(
        PROVINCIAL,
        m.OpenRoster(
            division=COUNTY, turns=(Turn(account="acc-duty", since=today(platform), until=dt.date(2099, 1, 1)),)
        ),
    )
    guarded, open_one = taken(platform, urgency=3, **GUARDED), taken(platform, urgency=3)
    stranger = platform.ask(caller("acc-lead-2", ("station_lead", TOWN)), m.DutyBoard())
    assert (kinds(stranger), stranger.counts["crisis"], stranger.not_shown) == ([("crisis", open_one)], 2, 1)
    assert [tier.division for tier in stranger.on_duty] == [TOWN, COUNTY, CITY, PROVINCE]
    assert guarded not in str(stranger)
    assert len(kinds(platform.ask(DUTY, m.DutyBoard(division=TOWN)))) == 2
    elsewhere = caller("acc-far", ("duty_officer", "350100000000"))
    empty = platform.ask(elsewhere, m.DutyBoard())
    assert (empty.items, set(empty.counts.values()), empty.not_shown) == ((), {0}, 0)
    for wrong, code in (({"division": COUNTY}, "not_found"), ({"after": "x"}, "bad_input")):
        with pytest.raises(Refused) as refused:
            platform.ask(elsewhere, m.DutyBoard(**wrong))
        assert refused.value.code == code
