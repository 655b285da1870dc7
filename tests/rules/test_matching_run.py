"""A matching run by its rules alone: ordered once over a place, all of its pairs or none, never against a person's word."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from banyan.contracts import matching as m
from banyan.kernel.refusal import Refused
from services.matching.domain import pairing
from services.matching.domain.request import Request
from services.matching.domain.run import Run
from tests.rules.matching_given import COUNTY, DUTY, SYSTEM, TOWN, World, by, said, told

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


def test_an_offer_of_a_run_tells_the_same_terms_as_an_explanation(world: World) -> None:
    request, worker, context = world.triaged(), world.records["a-w0"], world.context(SYSTEM)
    explained, asking = pairing.explain(worker, request, context), pairing.Asking.of(request, context)
    assert asking.ranked(worker, 1) == pairing.as_ranked(explained, 1)
    assert asking.fits(worker) and explained.feasible
    full = replace(worker, offered=("q-1", "q-2", "q-3"))
    assert not asking.fits(full) and not pairing.explain(full, request, context).feasible


def test_a_run_over_nobody_ends_by_itself_and_its_place_is_free(world: World) -> None:
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    nobody = replace(SUMMARY, requests=0, served=0)
    assert world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=nobody)).state == "applied"
    assert said(world, m.RunApplied).offers == 0
    with pytest.raises(Refused) as late:
        world.do(DUTY, m.ConfirmRun(run_id=run.id))
    assert late.value.code == "wrong_state"
    world.do(DUTY, m.StartRun(division=COUNTY, reason="再来一次"))


def test_a_run_that_serves_nobody_of_those_who_wait_is_still_looked_at(world: World) -> None:
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    assert world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=replace(SUMMARY, served=0))).state == "computed"


def test_a_pair_that_no_longer_holds_sends_none(world: World) -> None:
    requests = (world.triaged(), world.triaged())
    run = confirmed(world)
    world.do(SYSTEM, m.SuspendWorker(worker_id="a-w1", division=TOWN, reason="登记暂停"))
    with pytest.raises(Refused) as refused:
        world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(*requests), summary=SUMMARY))
    assert refused.value.code == "run_moved_on" and refused.value.facts["worker_id"] == "a-w1"
    assert world.records[requests[0].id].state == "triaged"


def offered_run(world: World, **other: object) -> tuple[Run, Request]:
    """A run to be sent out, and a request that is offered to a-w0."""
    request = world.offered()
    assert request.offer.worker_id == "a-w0"
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风", apply_at_once=True, **other))
    world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=SUMMARY))
    return run, request


def moved(run: Run, request: Request, *pairs: m.Pair) -> m.ApplyRun:
    """The run takes the request's offer back from a-w0 and sends these."""
    back = (m.Pair(request_id=request.id, worker_id="a-w0"),)
    return m.ApplyRun(run_id=run.id, pairs=pairs, summary=SUMMARY, moved=back)


def test_an_offer_out_goes_to_another_only_where_the_officer_allowed_it(world: World) -> None:
    run, request = offered_run(world)
    to = m.Pair(request_id=request.id, worker_id="a-w1")
    with pytest.raises(Refused) as refused:
        world.do(SYSTEM, moved(run, request, to))
    assert refused.value.code == "run_moved_on"
    world.do(DUTY, m.CancelRun(run_id=run.id, reason="改为可改派"))
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风，可改派", apply_at_once=True, movable=True))
    world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=SUMMARY))
    world.do(SYSTEM, moved(run, request, to))
    after = world.records[request.id]
    assert [(o.worker_id, o.answer, o.reason) for o in after.offers] == [
        ("a-w0", "recalled", "台风，可改派"),
        ("a-w1", None, None),
    ]
    assert after.state == "dispatched"
    assert (world.records["a-w0"].offered, world.records["a-w1"].offered) == ((), (request.id,))
    assert told(world, "recalled") == ["acc-w0"]


def test_an_offer_that_stays_is_not_made_twice(world: World) -> None:
    run, request = offered_run(world, movable=True)
    other = world.triaged()
    stay, new = (m.Pair(request_id=each.id, worker_id="a-w0") for each in (request, other))
    world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=(stay, new), summary=SUMMARY))
    assert len(world.records[request.id].offers) == 1 and world.records[other.id].offer.worker_id == "a-w0"
    assert world.records["a-w0"].offered == (request.id, other.id)
    assert said(world, m.RunApplied).offers == 1


def test_what_was_accepted_meanwhile_is_never_moved(world: World) -> None:
    run, request = offered_run(world, movable=True)
    world.do(by("a-w0"), m.AcceptOffer(request_id=request.id))
    stay = m.ApplyRun(run_id=run.id, pairs=(m.Pair(request_id=request.id, worker_id="a-w0"),), summary=SUMMARY)
    for command in (moved(run, request), stay):
        with pytest.raises(Refused) as refused:
            world.do(SYSTEM, command)
        assert refused.value.code == "run_moved_on"
    assert world.records[request.id].state == "accepted"


def test_what_a_worker_is_asked_and_takes_while_the_run_is_decided_is_kept_beside_its_offers(world: World) -> None:
    requests = (world.triaged(), world.triaged())
    crisis, run = world.taken(urgency=3), confirmed(world)
    world.do(DUTY, m.AcknowledgeCrisis(request_id=crisis.id))
    gone = m.AssignCrisis(request_id=crisis.id, worker_id="a-w1", reason="电话说定，十分钟到")
    world.meanwhile = lambda: world.do(DUTY, gone)
    world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(*requests), summary=SUMMARY))
    worker = world.records["a-w1"]
    assert (worker.offered, worker.accepted) == ((requests[1].id,), (crisis.id,))
    assert (said(world, m.WorkerLoadChanged).offered, said(world, m.WorkerLoadChanged).accepted) == (1, 1)


@pytest.mark.parametrize(
    "changed",
    [{"accepted": ("q-1", "q-2", "q-3")}, {"state": "suspended"}, {"division": COUNTY}],
    ids=["no place is left", "is no longer asked", "serves elsewhere"],
)
def test_a_worker_who_changed_while_the_run_was_decided_sends_none(world: World, changed: dict[str, object]) -> None:
    requests, run = (world.triaged(), world.triaged()), confirmed(world)
    world.meanwhile = lambda: world.records.update({"a-w1": replace(world.records["a-w1"], **changed)})
    with pytest.raises(Refused) as refused:
        world.do(SYSTEM, m.ApplyRun(run_id=run.id, pairs=pairs(*requests), summary=SUMMARY))
    assert refused.value.code == "run_moved_on"
    assert refused.value.facts == {"request_id": requests[1].id, "worker_id": "a-w1"}


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


@pytest.mark.parametrize(
    ("figure", "value"),
    [("run_floor_percent", bad) for bad in ("forty", -5, 101, True, [1], None)]
    + [
        ("run_load_bands", bad)
        for bad in (7, "x", [[50]], [[80, 100], [50, 200]], [[50, 300], [80, 100]], [[101, 3]], [[50, -1]], [["a", 1]])
    ],
)
def test_no_run_is_ordered_by_an_option_that_is_none(figure: str, value: object) -> None:
    with pytest.raises(Refused) as refused:
        World(**{figure: value}).do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    assert (refused.value.code, refused.value.facts["figure"]) == ("figure_unusable", figure)


def test_a_run_is_ordered_by_load_bands_and_a_floor() -> None:
    world = World(run_floor_percent=100, run_load_bands=[[0, 0], [50, 300], [80, 300]])
    assert world.do(DUTY, m.StartRun(division=COUNTY, reason="台风")).state == "computing"


def test_what_was_cancelled_meanwhile_stays_so(world: World) -> None:
    run = world.do(DUTY, m.StartRun(division=COUNTY, reason="台风"))
    world.do(DUTY, m.CancelRun(run_id=run.id, reason="范围选错"))
    assert world.do(SYSTEM, m.FinishRun(run_id=run.id, summary=SUMMARY)).state == "cancelled"
    assert world.do(SYSTEM, m.FailRun(run_id=run.id, code="run_failed")).state == "cancelled"
