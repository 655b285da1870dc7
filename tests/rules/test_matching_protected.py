"""Cases of confidentiality: named receivers, break-glass, merged and erased clients."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Point
from banyan.kernel.message import DestroyKey
from banyan.kernel.refusal import Refused
from services.matching.domain import ending, place, said
from services.matching.domain.holding import may_know
from services.matching.domain.request import Holder, Request
from tests.rules.matching_given import (
    COUNTY,
    DUTY,
    HERE,
    LEAD,
    RESIDENT,
    SYSTEM,
    TOWN,
    VILLAGE,
    World,
    assess,
    by,
    caller,
)

OTHER_LEAD = caller("acc-lead2", ("station_lead", TOWN))


def protected(world: World, **other: Any) -> Request:
    """A protected request, taken and assessed by the lead."""
    given = {"confidentiality": "protected", "protected_kind": "violence", "separate_consent": True}
    request = world.taken(**{**given, **other})
    return world.do(LEAD, assess(request))


def test_to_who_is_not_named_there_is_no_such_request() -> None:
    world = World()
    request = protected(world)
    commands = [
        m.ProposeWorkers(request_id=request.id),
        m.CloseRequest(request_id=request.id, ending="moved", reason="x"),
        m.HandOver(request_id=request.id, division=COUNTY, reason="x"),
        assess(request),
    ]
    for command in commands:
        with pytest.raises(Refused, match="not_found"):
            world.do(OTHER_LEAD, command)


def test_a_protected_request_is_offered_to_named_workers_only() -> None:
    world = World()
    world.workers(3)
    request = protected(world)
    assert world.do(LEAD, m.ProposeWorkers(request_id=request.id)).state == "unmatched"
    with pytest.raises(Refused) as refused:
        world.do(LEAD, m.OverrideDispatch(request_id=request.id, worker_id="a-w1", reason="最近"))
    assert refused.value.facts["rules"] == ["named_receiver"]
    named = protected(world, receivers=("p-w2",))
    named = world.do(LEAD, m.ProposeWorkers(request_id=named.id))
    assert [c.worker_id for c in named.candidates] == ["a-w2"]


def test_its_events_say_the_county_and_neither_client_nor_functions_nor_candidates() -> None:
    world = World()
    world.workers(1)
    protected(world, receivers=("p-w0",))
    request = protected(world, receivers=("p-w0",))
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    events = [e for e in world.events if isinstance(e, m.OfRequest)]
    assert {e.division for e in events} == {COUNTY}
    text = repr(events)
    assert VILLAGE not in text and TOWN not in text and "p-lin" not in text and "emotional_relief" not in text
    assert next(e for e in events if isinstance(e, m.WorkersProposed)).worker_ids == ()


def test_notices_about_it_say_the_county_too() -> None:
    world = World()
    protected(world)
    assert {n.facts["division"] for n in world.notices} == {COUNTY}


def test_taken_by_a_resident_it_goes_to_the_county_s_duty_person_by_name() -> None:
    world = World()
    world.on_duty(COUNTY, "acc-duty")
    request = world.taken(RESIDENT, asked_by="neighbour", client_id=None, separate_consent=True,
                          confidentiality="protected", protected_kind="suicide_risk")  # fmt: skip
    assert request.holder == Holder(account="acc-duty")
    assert may_know(request, world.context(DUTY)) and not may_know(request, world.context(LEAD))


def test_overdue_it_climbs_to_a_named_person_who_may_then_know() -> None:
    world = World()
    world.on_duty(COUNTY, "acc-duty")
    request = protected(world)
    assert not may_know(request, world.context(DUTY))
    world.pass_time(days=3)
    request = world.do(SYSTEM, m.ClimbRequest(request_id=request.id))
    assert (request.holder, request.receivers) == (Holder(account="acc-duty"), ("acc-lead", "acc-duty"))


def test_a_glass_is_broken_with_a_reason_for_an_hour_and_the_county_is_told() -> None:
    world = World()
    request = protected(world)
    with pytest.raises(Refused, match="reason_missing"):
        world.do(OTHER_LEAD, m.BreakGlass(request_id=request.id, reason=""))
    request = world.do(OTHER_LEAD, m.BreakGlass(request_id=request.id, reason="当事人正在门外求救"))
    assert may_know(request, world.context(OTHER_LEAD))
    assert [n.to for n in world.notices if n.template == "glass_broken"] == [f"duty_officer@{COUNTY}"]
    assert "求救" not in repr(world.events)
    world.pass_time(minutes=60)
    assert not may_know(request, world.context(OTHER_LEAD))


def test_after_a_merge_the_surviving_id_stands_and_the_key_stays() -> None:
    world = World()
    request = world.taken()
    request = world.do(SYSTEM, m.AliasClient(request_id=request.id, client_id="p-survivor"))
    assert (request.client_id, request.subject_id) == ("p-survivor", "p-lin")


def test_erasing_a_client_ends_an_open_case_frees_the_worker_and_keeps_its_course() -> None:
    world = World()
    world.workers(1)
    request = world.accepted(story="与儿子争执", address="学院路1号")
    request = world.do(SYSTEM, m.EraseClient(request_id=request.id))
    assert [getattr(request, name) for name in ending.PRIVATE] == [None] * len(ending.PRIVATE)
    assert (request.state, request.ending, request.client_id) == ("closed", "withdrawn", None)
    assert [o.answer for o in request.offers] == ["accepted"]
    assert world.records["a-w0"].load == 0


def test_erasing_takes_along_what_was_typed_of_the_case() -> None:
    world, typed = World(), "林阿妹的儿媳"
    world.workers(3)
    request = world.offered()
    world.do(by(request.offer.worker_id), m.DeclineOffer(request_id=request.id, reason=typed))
    world.do(LEAD, m.OverrideDispatch(request_id=request.id, worker_id="a-w2", reason=typed))
    world.do(DUTY, m.BreakGlass(request_id=request.id, reason=typed))
    request = world.do(LEAD, m.WithdrawRequest(request_id=request.id, reason=typed))
    assert str(request).count(typed) == 4
    erased = world.do(SYSTEM, m.EraseClient(request_id=request.id))
    assert typed not in str(erased) and (erased.ending, erased.ended_reason) == ("withdrawn", "client_erased")
    assert [offer.answer for offer in erased.offers] == ["declined", "closed"] and len(erased.glass) == 1


def test_erasing_destroys_the_key_of_who_it_was_written_for() -> None:
    world = World()
    request = world.taken()
    answer = ending.erase_client(request, m.EraseClient(request_id=request.id), world.context(SYSTEM), worker=None)
    assert DestroyKey(person_id="p-lin") in answer


def test_an_officer_erases_whom_the_registry_does_not_know_and_says_why() -> None:
    world = World()
    privacy = caller("acc-privacy", ("privacy_officer", COUNTY))
    registered, unknown = world.taken(), world.taken(client_id=None)
    for request, reason, code in ((unknown, "", "reason_missing"), (registered, "本人请求", "erase_in_registry")):
        with pytest.raises(Refused, match=code):
            world.do(privacy, m.EraseClient(request_id=request.id, reason=reason))
    erased = world.do(privacy, m.EraseClient(request_id=unknown.id, reason="本人请求"))
    assert (erased.state, erased.client_name, erased.client_id) == ("closed", None, None)


def test_before_accepting_a_cell_stands_for_the_house_and_the_county_for_a_protected_one() -> None:
    world = World()
    lon_udeg, lat_udeg = (int(part) for part in str(place.cell(HERE)).split(","))
    house, next_door = (
        Point(lon_udeg=lon_udeg + 90, lat_udeg=lat_udeg),
        Point(lon_udeg=lon_udeg, lat_udeg=lat_udeg - 900),
    )
    assert place.cell(house) == place.cell(next_door) == place.cell(HERE) != f"{house.lon_udeg},{house.lat_udeg}"
    assert said.area_said(protected(world)) == COUNTY
    assert said.area_said(world.taken()) == VILLAGE


def test_without_a_point_distances_are_reckoned_from_the_county_s_centre() -> None:
    world = World()
    world.workers(1)
    request = world.triaged(point=None)
    candidate = world.do(LEAD, m.ProposeWorkers(request_id=request.id)).candidates[0]
    distance = next(t for t in candidate.terms if t.name == "distance")
    assert distance.facts["distance_m"] > 0


def test_the_worker_who_accepts_a_protected_case_is_among_those_who_may_know() -> None:
    world = World()
    world.workers(1)
    request = protected(world, receivers=("acc-w0",))
    world.do(LEAD, m.ProposeWorkers(request_id=request.id))
    world.do(LEAD, m.ConfirmDispatch(request_id=request.id, worker_id="a-w0"))
    request = world.do(by("a-w0"), m.AcceptOffer(request_id=request.id))
    assert may_know(request, world.context(by("a-w0")))
    assert request.accepted_at - request.taken_at == dt.timedelta(0)
