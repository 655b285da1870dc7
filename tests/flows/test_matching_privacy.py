"""Matching on real PostgreSQL: nobody reads what is not theirs, each look is noted, and the erased stay erased."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Contact, Point
from banyan.kernel.refusal import Refused
from services.matching.schedules import ALIASES, ERASED
from tests.flows.matching_platform import Platform, matching_on, taken, triaged, workers
from tests.rules.matching_given import (
    COUNTY,
    DUTY,
    LEAD,
    PROVINCE,
    RESIDENT,
    SYSTEM,
    VILLAGE,
    by,
    caller,
    household,
    worker_caller,
)

STRANGER = caller("acc-stranger", ("resident", PROVINCE), person="p-stranger")


@pytest.fixture
def platform(database: str, tmp_path: Path) -> Iterator[Platform]:
    """A fresh matching for each test."""
    with matching_on(database, tmp_path) as running:
        yield running


def test_the_worker_sees_the_need_before_and_the_name_after_accepting_and_each_look_is_noted(
    platform: Platform,
) -> None:
    workers(platform, 1)
    contacts = (Contact(relation="self", phone="+8613812345678"),)
    id = triaged(platform, story="与儿子争执", address="学院路1号", contacts=contacts)
    platform.do(LEAD, m.DispatchNext(request_id=id))
    card = platform.ask(by("a-w0"), m.MyOffers()).items[0]
    assert (card.area, card.distance_km, card.functions) == (VILLAGE, 0, ("emotional_relief",))
    before = platform.ask(by("a-w0"), m.RequestDetail(request_id=id))
    assert (before.client_name, before.address, before.story, before.point, before.contacts) == (
        None,
        None,
        None,
        None,
        (),
    )
    assert before.hidden == ("client_name", "contacts", "story", "address", "spot")
    platform.do(by("a-w0"), m.AcceptOffer(request_id=id))
    after = platform.ask(by("a-w0"), m.MyWork()).items[0]
    assert (after.client_name, after.address, after.contacts[0].phone) == ("林阿妹", "学院路1号", "+8613812345678")
    officer = platform.ask(DUTY, m.RequestDetail(request_id=id))
    assert officer.contacts[0].phone == "138****5678"
    seen = platform.rows("select row ->> 'method' from audit where row ->> 'outcome' = 'seen' order by id")
    assert seen == [("my_work",), ("request_detail",)]
    kept = platform.rows("select body::text from request union all select body::text from request_history")
    assert "林阿妹" not in str(kept) and "13812345678" not in str(kept)


def test_to_a_stranger_there_is_no_such_request(platform: Platform) -> None:
    id = taken(platform, RESIDENT, asked_by="self", client_id=None)
    own = platform.ask(RESIDENT, m.RequestDetail(request_id=id))
    assert (own.client_name, [r.id for r in platform.ask(RESIDENT, m.MyRequests()).items]) == ("林阿妹", [id])
    elsewhere = caller("acc-far", ("station_lead", "350103001000"))
    for reader in (STRANGER, elsewhere, worker_caller(5)):
        for asked in (id, "q-none"):
            with pytest.raises(Refused, match="not_found"):
                platform.ask(reader, m.RequestDetail(request_id=asked))
    assert [r.id for r in platform.ask(RESIDENT, m.MyCopy()).requests] == [id]


def test_a_protected_request_counts_in_lists_and_shows_to_the_named_only(platform: Platform) -> None:
    workers(platform, 2)
    guarded = {"confidentiality": "protected", "protected_kind": "violence", "separate_consent": True}
    id = triaged(platform, **guarded, receivers=("p-w1",))
    ordinary = triaged(platform)
    assert [c.worker_id for c in platform.request(id).candidates] == ["a-w1"]
    named, other = platform.ask(LEAD, m.Requests()), platform.ask(DUTY, m.Requests())
    assert ([r.id for r in named.items], named.not_shown) == ([id, ordinary], 0)
    assert ([r.id for r in other.items], other.not_shown) == ([ordinary], 1)
    for query in (
        m.RequestDetail(request_id=id),
        m.RankWorkers(request_id=id),
        m.WhyNot(request_id=id, worker_id="a-w0"),
    ):
        with pytest.raises(Refused, match="not_found"):
            platform.ask(DUTY, query)
    events = platform.rows("select convert_from(body, 'UTF8') from log where aggregate_id = %s", id)
    assert events and VILLAGE not in str(events) and "p-lin" not in str(events)
    platform.do(DUTY, m.BreakGlass(request_id=id, reason="求救电话"))
    assert platform.ask(DUTY, m.RequestDetail(request_id=id)).client_name == "林阿妹"


def test_a_merged_client_s_requests_follow_and_new_ones_are_refused_with_the_survivor(platform: Platform) -> None:
    id = taken(platform)
    platform.do(SYSTEM, m.NoteClient(person_id="p-lin", division=COUNTY, alias_of="p-survivor"))
    platform.tick(seconds=1)
    assert platform.request(id).client_id == "p-survivor"
    with pytest.raises(Refused) as refused:
        taken(platform)
    assert (refused.value.code, refused.value.facts["survivor"]) == ("merged", "p-survivor")
    assert platform.ask(LEAD, m.RequestDetail(request_id=id)).client_name == "林阿妹"
    platform.do(SYSTEM, m.NoteClient(person_id="p-lin", division=COUNTY))
    platform.tick(seconds=1)
    assert platform.request(id).client_id == "p-lin"


def test_an_erased_client_is_gone_from_history_too(platform: Platform) -> None:
    exact = Point(lon_udeg=118_100_123, lat_udeg=24_450_456, source="test")
    id = triaged(platform, story="与儿子争执", point=exact)
    home = platform.do(LEAD, household("p-lin", "p-son", point=exact))["id"]
    copy = platform.ask(RESIDENT, m.MyCopy())
    assert (copy.requests[0].point, copy.homes[0].point, copy.homes[0].address) == (exact, exact, "学院路1号")
    platform.do(SYSTEM, m.NoteClient(person_id="p-lin", division=COUNTY, erased=True))
    platform.tick(seconds=1)
    request = platform.request(id)
    fields = "body ->> 'address', body ->> 'spot', body ->> 'point', body -> 'member_ids', body ->> 'subject_id'"
    (left,) = platform.rows(f"select {fields} from household where id = %s", home)
    assert left == (None, None, None, ["p-son"], "p-son")
    kept = platform.rows("select body::text from request_history union all select body::text from household_history")
    assert kept and "118100123" not in str(kept) and "24450456" not in str(kept), "nor the exact place of the home"
    assert "118100000" not in str(kept) and "24450000" not in str(kept), "nor the place to 100 m in earlier versions"
    assert (request.state, request.ending, request.client_name, request.story) == ("closed", "withdrawn", None, None)
    assert platform.rows("select wrapped from person_key where person_id = 'p-lin'") == [(None,)]
    platform.tick(days=100)
    assert platform.rows("select count(*) from parked") == [(0,)]


def test_a_request_whose_key_alone_was_destroyed_by_a_restore_is_erased_wholly(platform: Platform) -> None:
    id, other = triaged(platform, story="与儿子争执"), taken(platform, client_id="p-other")
    destroyed = "update person_key set wrapped = null, destroyed_at = now() where person_id = %s returning 1"
    assert platform.rows(destroyed, "p-lin") == [(1,)]
    with pytest.raises(Refused, match="person_erased"):
        platform.ask(LEAD, m.RequestDetail(request_id=id))
    platform.tick(seconds=1)
    seen = platform.ask(LEAD, m.RequestDetail(request_id=id))
    assert (seen.state, seen.client_name, seen.story, seen.point) == ("closed", None, None, None)
    assert platform.request(other).erased_on is None


def test_a_client_whom_the_registry_does_not_know_is_erased_with_all_requests_at_an_officer_s_word(
    platform: Platform,
) -> None:
    id = triaged(platform, client_id=None, story="与儿子争执")
    client = platform.request(id).client_id
    again = taken(platform, client_id=client)
    platform.do(caller("acc-privacy", ("privacy_officer", COUNTY)), m.EraseClient(request_id=id, reason="本人请求"))
    assert platform.rows("select wrapped from person_key where person_id = %s", client) == [(None,)]
    platform.tick(seconds=1)
    assert [platform.request(one).client_name for one in (id, again)] == [None, None]
    assert platform.rows(
        "select row ->> 'reason' from audit where row ->> 'method' = 'erase_client' and row ? 'reason'"
    )


def test_those_erased_or_merged_are_followed_by_index_however_many_requests_there_are(platform: Platform) -> None:
    with platform.pool.connection() as connection, connection.transaction():
        connection.execute("set local enable_seqscan = off")
        for sql in (ALIASES, ERASED):
            plan = str(connection.execute(f"explain {sql}", {"batch": 500}).fetchall())
            assert "using request_subject on request" in plan and "Seq Scan on request" not in plan, plan
    assert "request_client" in plan and "person_key_destroyed" in plan
