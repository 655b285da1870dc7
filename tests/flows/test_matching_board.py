"""The duty board on real PostgreSQL: each thing that needs a person, most urgent first, and nothing that is not theirs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.context import SHANGHAI, Caller
from banyan.kernel.policy import Figure
from banyan.kernel.refusal import Refused
from tests.flows.matching_platform import Platform, matching_on, on_duty, taken, triaged, workers
from tests.rules.matching_given import CITY, COUNTY, DUTY, LEAD, PROVINCE, PROVINCIAL, TOWN, VILLAGE, assess, by, caller

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
    stranger = platform.ask(caller("acc-lead-2", ("station_lead", COUNTY)), m.DutyBoard())
    assert (kinds(stranger), stranger.counts["crisis"], stranger.not_shown) == ([("crisis", open_one)], 2, 1)
    assert [tier.division for tier in stranger.on_duty] == [COUNTY, CITY, PROVINCE]
    assert guarded not in str(stranger)
    assert len(kinds(platform.ask(DUTY, m.DutyBoard(division=TOWN)))) == 2
    elsewhere = caller("acc-far", ("duty_officer", "350100000000"))
    empty = platform.ask(elsewhere, m.DutyBoard())
    assert (empty.items, set(empty.counts.values()), empty.not_shown) == ((), {0}, 0)
    for wrong, code in (({"division": COUNTY}, "not_found"), ({"after": "x"}, "bad_input")):
        with pytest.raises(Refused) as refused:
            platform.ask(elsewhere, m.DutyBoard(**wrong))
        assert refused.value.code == code


def seen(platform: Platform, who: Caller, division: str | None) -> dict[str, tuple[int, int]]:
    """What each list and count says of an area: (all that is counted, of which not shown)."""
    listed = platform.ask(who, m.Requests(division=division))
    board = platform.ask(who, m.DutyBoard(division=division))
    crises = platform.ask(who, m.CrisisBoard())
    return {
        "requests": (len(listed.items) + listed.not_shown, listed.not_shown),
        "board": (board.counts["crisis"], board.not_shown),
        "crises": (len(crises.items) + crises.not_shown, crises.not_shown),
        "endings": (platform.ask(who, m.Endings(division=division)).open, 0),
    }


def test_below_the_county_a_protected_case_is_not_even_a_number(platform: Platform) -> None:
    on_duty(platform, COUNTY, "acc-duty")
    taken(platform, urgency=3, **GUARDED)
    taken(platform, urgency=3)
    one, two, hidden = (1, 0), (2, 0), (2, 1)
    neighbour, county = (caller(f"acc-{at}", ("station_lead", at)) for at in (TOWN, COUNTY))
    for asked in (None, TOWN):
        assert seen(platform, neighbour, asked) == {"requests": one, "board": one, "crises": one, "endings": one}
    at_county = {"requests": hidden, "board": hidden, "crises": hidden, "endings": two}
    assert seen(platform, county, None) == seen(platform, county, COUNTY) == at_county
    below = {"requests": one, "board": one, "crises": hidden, "endings": one}
    assert seen(platform, county, TOWN) == below, "what is asked of the town is told of the town"
    whoever_holds_it = {"requests": two, "board": two, "crises": two, "endings": two}
    assert seen(platform, DUTY, TOWN) == whoever_holds_it, "they see the case itself"
    elsewhere = caller("acc-both", ("station_lead", TOWN), ("station_lead", "350205000000"))
    assert seen(platform, elsewhere, None)["requests"] == one, "a county's grant elsewhere counts nothing here"


def test_a_page_ends_at_no_hidden_case_below_the_county(platform: Platform) -> None:
    shown = taken(platform)
    taken(platform, **GUARDED)
    page = platform.ask(caller("acc-lead-2", ("station_lead", TOWN)), m.Requests(limit=1))
    assert ([line.id for line in page.items], page.next) == ([shown], None)


def test_each_request_s_own_division_says_when_service_should_have_begun(database: str, tmp_path: Path) -> None:
    own = Figure(
        name="start_hours", since=dt.date(2021, 1, 2), value=[2, 2, 2, 2], unit="小时", source="test", division=TOWN
    )
    with matching_on(database, tmp_path, [own]) as platform:
        workers(platform, 2)
        for place in (VILLAGE, "350203002001"):
            id = taken(platform, DUTY, division=place)
            platform.do(DUTY, assess(platform.request(id)))
            platform.settle()
            candidate = platform.request(id).candidates[0].worker_id
            platform.do(DUTY, m.ConfirmDispatch(request_id=id, worker_id=candidate))
            platform.tick(minutes=1)
            platform.do(by(candidate), m.AcceptOffer(request_id=id))
        platform.tick(hours=3)
        for asked in (None, CITY, COUNTY):
            (late,) = platform.ask(PROVINCIAL, m.DutyBoard(division=asked)).items
            assert (late.kind, late.division, late.due_in_min) == ("start_overdue", VILLAGE, -62)
