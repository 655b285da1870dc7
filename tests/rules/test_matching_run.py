"""A matching run by its rules alone: ordered once over a place, all of its pairs or none, never against a person's word."""

from __future__ import annotations

import pytest

from banyan.contracts import matching as m
from banyan.kernel.refusal import Refused
from services.matching.domain.request import Request
from services.matching.domain.run import Run
from tests.rules.matching_given import COUNTY, DUTY, SYSTEM, TOWN, World

SUMMARY = m.Summary(
    status="optimal_all_pairs",
    requests=2,
    workers=2,
    places=6,
    served=2,
    objective=1,
    bound=1,
    inputs_digest="i",
    certificate_digest="c",
    table="t",
    policy="p",
)


@pytest.fixture
def world() -> World:
    """Two workers and two requests that wait."""
    made = World()
    made.workers(2)
    return made


def confirmed(world: World) -> Run:
    """A run that was computed and is to be sent out at once."""
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风", apply_at_once=True))
    after: Run = world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=SUMMARY))
    assert after.state == "confirmed"
    return after


def pairs(*requests: Request) -> tuple[m.Pair, ...]:
    """Each request to the worker of its number."""
    return tuple(m.Pair(request_id=r.id, worker_id=f"a-w{n}") for n, r in enumerate(requests))


def test_every_pair_becomes_an_offer(world: World) -> None:
    requests = (world.triaged(), world.triaged())
    run = confirmed(world)
    after = world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(*requests), summary=SUMMARY))
    sent = [world.records[r.id] for r in requests]
    assert after.state == "applied"
    assert [(r.state, r.offer.worker_id) for r in sent] == [("dispatched", "a-w0"), ("dispatched", "a-w1")]
    assert [n.template for n in world.notices].count("offer") == 2


def test_a_pair_that_no_longer_holds_sends_none(world: World) -> None:
    requests = (world.triaged(), world.triaged())
    run = confirmed(world)
    world.do(SYSTEM, m.SuspendWorker(worker_id="a-w1", division=TOWN, reason="登记暂停"))
    with pytest.raises(Refused) as refused:
        world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(*requests), summary=SUMMARY))
    assert refused.value.code == "run_moved_on" and refused.value.facts["worker_id"] == "a-w1"
    assert world.records[requests[0].id].state == "triaged"


def test_a_protected_request_is_no_part_of_it(world: World) -> None:
    request = world.triaged(confidentiality="protected", protected_kind="violence", separate_consent=True)
    run = confirmed(world)
    with pytest.raises(Refused) as refused:
        world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(request), summary=SUMMARY))
    assert refused.value.code == "run_moved_on"


def test_one_run_at_a_time_over_a_place_and_none_without_a_reason(world: World) -> None:
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    with pytest.raises(Refused) as beside:
        world.do(DUTY, m.StartRun(division=COUNTY, reason="再来一次"))
    assert (beside.value.code, beside.value.facts["run_id"]) == ("run_overlaps", run.id)
    world.do(DUTY, m.CancelRun(run_id=run.id, reason="范围选错"))
    with pytest.raises(Refused) as silent:
        world.do(DUTY, m.StartRun(division=COUNTY, reason=" "))
    assert silent.value.code == "reason_missing"


def test_what_was_cancelled_meanwhile_stays_so(world: World) -> None:
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    world.do(DUTY, m.CancelRun(run_id=run.id, reason="范围选错"))
    assert world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=SUMMARY)).state == "cancelled"
    assert world.do(SYSTEM, m.FailRun(run_id=run.id, code="run_failed")).state == "cancelled"
