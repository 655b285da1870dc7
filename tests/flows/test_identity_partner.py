"""Agreements with partners on a real PostgreSQL: made, refused, raced for, ended, found; and told by one event each."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from banyan.contracts import identity as words
from banyan.kernel.refusal import Refused
from services.identity import seed
from tests.flows.identity_desk import CITY, Identity
from tests.flows.test_identity_accounts import identity, refused

__all__ = ["identity"]  # the fixture: identity in this process, on a database of its own


def order(account: str, **change: Any) -> words.AgreePartner:
    known = words.AgreePartner(
        division=CITY,
        partner=account,
        name=f"p{uuid.uuid4().hex[:12]}",
        streams={"registry.person": ("cn.banyan.registry.person.approved.v1",), "identity.reference": ("*",)},
        queue=True,
        purpose="核对持证人员",
        legal_basis="闽政文〔2026〕1号",
    )
    return replace(known, **change)


def told(identity: Identity, account: str) -> list[words.PartnerAgreed]:
    return [event for event in identity.events(words.PartnerAgreed) if event.partner == account]


def test_an_agreement_is_made_told_ended_and_made_again(identity: Identity) -> None:
    account, _ = identity.account("partner", password=False)
    first = order(account)
    made = identity.order(first)
    with refused("partner_agreed"):
        identity.order(order(account))
    identity.order(words.EndPartner(agreement_id=made["id"], reason="任务已完成"))
    with refused("wrong_state"):
        identity.order(words.EndPartner(agreement_id=made["id"], reason="任务已完成"))
    again = identity.order(replace(first, streams={"registry.person": ("*",)}))
    assert again["id"] != made["id"]
    events = told(identity, account)
    assert [event.ended_at is None for event in events] == [True, False, True]
    assert [event.streams["registry.person"][0] for event in events][1:] == [first.streams["registry.person"][0], "*"]


def test_what_nobody_publishes_is_refused(identity: Identity) -> None:
    account, _ = identity.account("partner", password=False)
    with refused("unknown_stream"):
        identity.order(order(account, streams={"registry.nobody": ("*",)}))
    with refused("unknown_event_type"):
        identity.order(order(account, streams={"registry.person": ("cn.banyan.registry.person.eaten.v1",)}))
    with refused("not_found"):
        identity.order(order("a-nobody"))
    assert told(identity, account) == []


def test_of_many_at_once_one_agreement_comes_to_be(identity: Identity) -> None:
    account, _ = identity.account("partner", password=False)

    def attempt(_: int) -> str:
        try:
            return str(identity.order(order(account))["state"])
        except Refused as refusal:
            return refusal.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes == ["agreed", *["partner_agreed"] * 7]
    assert len(told(identity, account)) == 1


def test_an_officer_finds_the_agreements_of_the_own_area(identity: Identity) -> None:
    account, _ = identity.account("partner", password=False)
    made = identity.order(order(account))
    _, name = identity.account("data_officer")
    session, mine = identity.log_in(name)
    token = identity.token(session, mine)
    page = identity.anyone(words.FindPartners(limit=500), token["token"])
    assert made["id"] in [item["agreement_id"] for item in page["items"]]


def test_the_seeded_agreement_of_the_demo_covers_what_it_names(identity: Identity) -> None:
    account, _ = identity.account("partner", password=False)
    key, command = seed.partner(account, "demo-partner", ["registry.person", "matching.request"])
    first = identity.order(command, key)
    assert identity.order(command, key) == first
    assert told(identity, account)[0].streams == {"matching.request": ("*",), "registry.person": ("*",)}
