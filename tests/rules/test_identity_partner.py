"""Agreements with partners: given, when, then."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from banyan.contracts import identity as words
from banyan.kernel.message import Event
from banyan.kernel.refusal import Refused
from banyan.runtime.events import agreements
from banyan.wire.chain import PERSONAL
from services.identity.domain.partner import Partner
from services.identity.store import _published
from tests.rules.test_identity_rules import CITY, NOW, PROVINCE, account, decide, refuses

TODAY = dt.date(2026, 11, 24)
APPROVED, REFUSED = "cn.banyan.registry.person.approved.v1", "cn.banyan.registry.person.refused.v1"
KNOWN = {
    "registry.person": {APPROVED: frozenset({"person_id", "level", "personal"}), REFUSED: frozenset({"person_id"})},
    "matching.request": {"cn.banyan.x.v1": frozenset({"request_id"})},
}
ORDER = words.AgreePartner(
    division=PROVINCE,
    partner="a-1",
    name="minzheng",
    streams={"registry.person": (REFUSED, APPROVED, APPROVED)},
    queue=True,
    purpose="核对持证人员",
    legal_basis="闽政文〔2026〕1号",
)


def agree(order: words.AgreePartner = ORDER, *beside: Partner, **given: Any) -> Any:
    facts = {"account": account(), "agreements_beside": beside, "known_events": KNOWN, **given}
    return decide(None, order, **facts)


def test_an_agreement_says_what_may_be_read_from_when_and_why() -> None:
    agreed, event = agree()
    assert (agreed.state, agreed.account_id, agreed.since, agreed.agreed_by) == ("agreed", "a-1", TODAY, "a-admin")
    assert event.streams == {"registry.person": (APPROVED, REFUSED)}
    assert (event.partner, event.queue, event.ended_at, event.legal_basis) == ("a-1", True, None, ORDER.legal_basis)
    whole = agree(replace(ORDER, streams={"registry.person": ("*",)}))[1]
    every, some = (agreements.permit(each, "registry.person") for each in (whole, event))
    assert every.fields(APPROVED) == every.fields("of a later release") == ("*",)
    assert (some.fields(APPROVED), some.fields("another")) == (("*",), None)


def test_no_field_of_any_event_has_the_name_that_stands_for_all_that_is_private() -> None:
    assert _published()
    assert not [event for event in Event.__subclasses__() if PERSONAL in event.__struct_fields__]


def test_an_agreement_may_name_fields_and_personal_is_one_of_them() -> None:
    named = {APPROVED: ("personal", "level", "level"), REFUSED: ("*",)}
    _, event = agree(replace(ORDER, streams={"registry.person": named, "matching.request": ("*",)}))
    assert event.streams["registry.person"] == {APPROVED: ("level", "personal"), REFUSED: ("*",)}
    permit = agreements.permit(event, "registry.person")
    assert [permit.fields(kind) for kind in (APPROVED, REFUSED, "another")] == [("level", "personal"), ("*",), None]
    kept = msgspec.json.decode(msgspec.json.encode(event), type=words.PartnerAgreed)
    assert kept == event and event.streams["matching.request"] == ("*",)


@pytest.mark.parametrize(
    ("change", "given", "code"),
    [
        ({"streams": {"registry.nothing": ("*",)}}, {}, "unknown_stream"),
        ({"streams": {"registry.person": ("cn.banyan.x.v1",)}}, {}, "unknown_event_type"),
        ({"streams": {"registry.person": ("*", APPROVED)}}, {}, "unknown_event_type"),
        ({"streams": {"registry.person": {"*": ("*",)}}}, {}, "unknown_event_type"),
        ({"streams": {"registry.person": {APPROVED: ("level", "phone")}}}, {}, "unknown_event_field"),
        ({"streams": {"registry.person": {REFUSED: ("personal",)}}}, {}, "unknown_event_field"),
        ({"until": dt.date(2026, 11, 23)}, {}, "grant_never_holds"),
        ({}, {"account": None}, "not_found"),
        ({}, {"account": account(state="closed")}, "wrong_state"),
        ({}, {"area": "350100000000"}, "not_found"),
    ],
)
def test_an_agreement_that_could_give_nothing_is_refused(change: Any, given: Any, code: str) -> None:
    with refuses(code):
        agree(replace(ORDER, **change), **given)


def test_an_account_has_one_agreement_and_a_name_one_account() -> None:
    first, _ = agree()
    with refuses("partner_agreed"):
        agree(replace(ORDER, name="other"), first)
    with refuses("partner_name_taken"):
        agree(replace(ORDER, partner="a-2"), first, account=account(id="a-2"))
    ended, _ = end(first)
    assert agree(ORDER, ended)[0].state == "agreed"
    with refuses("partner_name_taken"):
        agree(replace(ORDER, partner="a-2"), ended, account=account(id="a-2"))


def end(agreed: Partner) -> Any:
    return decide(agreed, words.EndPartner(agreement_id=agreed.id, reason="任务已完成"))


def test_an_ended_agreement_holds_no_more_and_is_ended_once() -> None:
    agreed, event = agree(replace(ORDER, until=dt.date(2026, 12, 31)))
    ended, told = end(agreed)
    assert (ended.state, ended.end_reason, told.ended_at) == ("ended", "任务已完成", NOW)
    held = [(event, TODAY), (event, dt.date(2026, 12, 31)), (event, dt.date(2027, 1, 1)), (told, TODAY)]
    assert [agreements.holds(*one) for one in held] == [True, True, False, False]
    assert not agreements.holds(event, TODAY - dt.timedelta(days=1))
    with refuses("wrong_state"):
        end(ended)


def test_a_stream_that_was_not_agreed_is_not_found() -> None:
    _, event = agree()
    with pytest.raises(Refused, match="not_found"):
        agreements.permit(event, "matching.request")
    assert agreements.permit(None, "matching.request") is None


def test_an_officer_of_a_city_agrees_for_accounts_of_the_city_only() -> None:
    assert agree(replace(ORDER, division=CITY), area=CITY)[0].division == CITY
    with refuses("not_found"):
        agree(replace(ORDER, division=CITY), area=CITY, account=account(division=PROVINCE))
