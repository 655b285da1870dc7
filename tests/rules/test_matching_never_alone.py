"""Whatever is ordered, in whatever order: somebody answers for every request, or there is a reason why it ended."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banyan.contracts import matching as m
from banyan.kernel.refusal import Refused
from services.matching.domain.request import REQUEST, Request
from services.matching.domain.worker import Worker
from tests.rules.matching_given import (
    BETTER,
    COUNTY,
    DUTY,
    GOOD,
    LEAD,
    PROVINCE,
    PROVINCIAL,
    RESIDENT,
    SYSTEM,
    World,
    assess,
    by,
    call_for_help,
    keep,
    worker_caller,
)

WORKERS, REQUESTS = 4, 3
ACTORS = (LEAD, DUTY, PROVINCIAL, RESIDENT, SYSTEM, *(worker_caller(n) for n in range(WORKERS)))
GUARDED = {"confidentiality": "protected", "separate_consent": True}
TAKEN = (
    {},
    {"urgency": 2},
    {"urgency": 3},
    {**GUARDED, "protected_kind": "violence", "receivers": ("p-w1", "acc-duty")},
    {**GUARDED, "protected_kind": "suicide_risk", "urgency": 3},
)
ABOUT_ONE = (
    m.ProposeWorkers, m.DispatchNext, m.FailDelivery, m.AcceptOffer, m.ExpireOffer, m.AcknowledgeCrisis, m.ClimbCrisis,
    m.ClimbRequest, m.EraseClient,
)  # fmt: skip
WITH_REASON = (m.DeclineOffer, m.RecallOffer, m.ReleaseWorker, m.WithdrawRequest, m.BreakGlass)
ONWARD = (
    m.ProposeWorkers, m.DispatchNext, m.ConfirmDelivery, m.AcceptOffer, m.AcknowledgeCrisis, m.AssignCrisis,
    m.StartService, m.CompleteService, m.FollowUp,
)  # fmt: skip
"""Orders that lead onward; the walk gives them more often, so that it goes far."""


def orders(request_id: str, worker_id: str, other_id: str) -> list[Any]:
    """One of every command about a request, with a worker and another request."""
    one, why = {"request_id": request_id}, {"request_id": request_id, "reason": "因故"}
    return [
        *(kind(**one) for kind in ABOUT_ONE),
        *(kind(**why) for kind in WITH_REASON),
        m.ConfirmDispatch(**one, worker_id=worker_id),
        m.OverrideDispatch(**why, worker_id=worker_id),
        m.AssignCrisis(**why, worker_id=worker_id),
        m.ConfirmDelivery(**one, worker_id=worker_id, receipt="ok"),
        m.StartService(**one, outcome=GOOD),
        m.CompleteService(**one, outcome=BETTER, minutes_served=30),
        m.FollowUp(**one, well=True),
        m.FollowUp(**one, well=False),
        m.ReferRequest(**why, to="区医院", receipt="R-1"),
        m.CloseRequest(**why, ending="unreachable"),
        m.LinkDuplicate(**why, same_as=other_id),
        m.HandOver(**why, division=COUNTY),
        m.HandOver(**why, division=COUNTY, account="acc-duty"),
        m.AliasClient(**one, client_id="p-other"),
        m.SuspendWorker(worker_id=worker_id, division=COUNTY, reason="失效"),
        m.EndWorker(worker_id=worker_id, division=COUNTY, reason="离岗"),
        lambda _: keep(int(worker_id[-1]), weekly_capacity=2),
        lambda world: assess(world.records[request_id], urgency=3),
        lambda world: assess(world.records[request_id], urgency=1),
    ]


MANY = len(orders("", "a-w0", ""))
STEP = st.tuples(
    st.integers(0, MANY - 1), st.integers(0, REQUESTS - 1), st.integers(0, WORKERS - 1), st.sampled_from(ACTORS),
    st.sampled_from((0, 1, 30, 600, 6000)),
)  # fmt: skip


def never_alone(world: World) -> None:
    """What holds after every step."""
    requests = [r for r in world.records.values() if isinstance(r, Request)]
    for request in requests:
        if request.state in REQUEST.ends:
            assert request.ending and request.ended_by and request.ended_reason and request.ended_at
            assert (request.holder, request.due_at, request.offer) == (None, None, None)
        else:
            assert request.holder is not None and request.due_at is not None
            assert request.ending is None
        assert (request.offer is not None) == (request.state == "dispatched")
        crisis = request.crisis
        if request.due == "crisis" and request.state not in REQUEST.ends:
            assert crisis is not None and crisis.acknowledged_by is None
    loads_agree(world, requests)


def loads_agree(world: World, requests: list[Request]) -> None:
    """What workers carry is what requests say they carry; nobody unnamed is asked about a protected request."""
    for worker in (w for w in world.records.values() if isinstance(w, Worker)):
        asked = {r.id for r in requests if r.offer and r.offer.worker_id == worker.id}
        serving = {r.id for r in requests if r.worker_id == worker.id and r.state in ("accepted", "in_service")}
        assert (set(worker.offered), set(worker.accepted)) == (asked, serving)
    for request, offer in ((r, o) for r in requests if r.protected for o in r.offers):
        worker = world.records[offer.worker_id]
        by_word = offer.rank == 0 and request.crisis is not None
        assert by_word or worker.names & set(request.receivers)


def step(world: World, order: Any, actor: Any) -> bool:
    """Orders it; a refusal must leave everything as it was."""
    before = dict(world.records)
    try:
        world.do(actor, order(world) if callable(order) else order)
    except Refused:
        assert world.records == before
        return False
    return True


@settings(max_examples=150, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(TAKEN), min_size=REQUESTS, max_size=REQUESTS), st.lists(STEP, max_size=60), st.booleans()
)
def test_no_request_is_ever_without_a_holder_or_a_reason(taken: Any, steps: Any, rostered: bool) -> None:
    world = World()
    world.workers(WORKERS, weekly_capacity=2)
    if rostered:
        world.on_duty(COUNTY, "acc-duty")
    ids = [world.do(LEAD, call_for_help(**other)).id for other in taken]
    for number, which, worker, actor, minutes in steps:
        world.pass_time(minutes=minutes)
        other = ids[(which + 1) % REQUESTS]
        step(world, orders(ids[which], f"a-w{worker}", other)[number], actor)
        never_alone(world)


def rightful(world: World, order: Any, request: Request) -> Any:
    """Somebody who might well give this order now."""
    may = type(order).may
    worker_id = request.offer.worker_id if request.offer else request.worker_id
    if "worker" in may and worker_id:
        return by(worker_id)
    return SYSTEM if "system" in may else LEAD


def test_a_long_random_walk_passes_through_every_state_and_never_leaves_anyone_alone() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    dice, seen, done = random.Random(seed), set(), 0
    for walk in range(2000):
        if walk >= 80 and seen == set(REQUEST.states):  # the rarest state is missed by 80 walks now and then
            break
        world = World()
        world.workers(WORKERS, weekly_capacity=2)
        ids = [world.do(LEAD, call_for_help(**dice.choice(TAKEN))).id for _ in range(REQUESTS)]
        for _ in range(100):
            world.pass_time(minutes=dice.choice((0, 1, 30, 600, 6000)))
            id = dice.choice(ids)
            made = orders(id, f"a-w{dice.randrange(WORKERS)}", dice.choice(ids))
            onward = [o for o in made if isinstance(o, ONWARD) or callable(o)]
            order = dice.choice(onward if dice.random() < 0.8 else made)
            order = order(world) if callable(order) else order
            done += step(world, order, rightful(world, order, world.records[id]))
            never_alone(world)
            seen |= {world.records[id].state for id in ids}
    assert seen == set(REQUEST.states)
    assert done > 500


def test_left_to_the_clock_alone_a_request_climbs_to_the_province_and_stays_there() -> None:
    for other in TAKEN:
        world = World()
        request = world.do(LEAD, call_for_help(**other))
        for _ in range(12):
            world.now = max(world.now, request.due_at)
            due = m.ClimbCrisis if request.due == "crisis" else m.ClimbRequest
            request = world.do(SYSTEM, due(request_id=request.id))
            never_alone(world)
        assert request.holder.division == PROVINCE


def test_every_command_about_a_request_is_among_the_random_ones() -> None:
    made = {type(order) for order in orders("q", "a-w0", "o")}
    commands = (c for c in vars(m).values() if isinstance(c, type) and issubclass(c, m.Command))
    about = {c for c in commands if "request_id" in c.__struct_fields__}
    assert about - made == {m.TriageRequest, m.FileReport}
