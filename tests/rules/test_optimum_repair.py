"""Live repair against solving afresh, after random histories. hypothesis prints the history that fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from services.identity.data import villages
from services.matching.optimum.live import Live
from services.matching.optimum.plan import KEPT, State
from services.matching.optimum.problem import Band, Problem, places_of
from services.matching.optimum.solution import OPTIMAL
from services.matching.optimum.solve import solve
from services.matching.optimum.stand import Arrival, Joiner
from services.matching.optimum.sweep import Pairs
from services.matching.ranking.arrays import Workers
from services.matching.ranking.measures import EXCLUDED
from services.matching.typhoon.day import day
from tests.rules.test_optimum import all_pairs

REQUESTS, WORKERS = 40, 90
BATCH_REQUESTS, BATCH_WORKERS = 26, 80
BANDS = (Band(40, 800), Band(70, 3_000))
CHANGES = ("arrive", "cancel", "decline", "withdraw", "join", "grow", "shrink", "offer", "accept")


@cache
def whole(seed: int) -> Problem:
    """A small crowded day in one city, all in two fields: nobody has more than two places."""
    problem = day([code for code in villages() if code.startswith("3501")], REQUESTS, seed, size=WORKERS).problem
    rows = problem.workers.rows
    rows["free"] = np.minimum(rows["free"], 2)
    problem.demand["field_wanted"] %= 2
    return problem


@dataclass
class Case:
    """What a history is told by, apart from Live: who there is, what was forbidden, what stands fast with whom."""

    day: Problem
    bands: tuple[Band, ...]
    rows: Any = None
    requests: list[int] = field(default_factory=lambda: list(range(BATCH_REQUESTS)))
    workers: int = BATCH_WORKERS
    marks: dict[tuple[int, int], int] = field(default_factory=dict)
    fast: dict[int, int] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rows = self.day.workers.rows.copy()
        self.marks = {(r, w): m for r, w, m in self.day.named.tolist()}

    def problem(self, requests: list[int]) -> Problem:
        """The problem of some requests with the workers as they are now."""
        rows = self.rows[: self.workers].copy()
        rows["free"][sorted(self.gone)] = 0
        place = {request: at for at, request in enumerate(requests)}
        named = [(place[r], w, m) for (r, w), m in sorted(self.marks.items()) if r in place and w < self.workers]
        return replace(
            self.day,
            workers=Workers(self.day.workers.ids[: self.workers], rows, self.day.workers.proficiency[: self.workers]),
            request_ids=[self.day.request_ids[r] for r in requests],
            demand=self.day.demand[requests],
            lines=self.day.lines[requests],
            serving=self.day.serving[requests],
            named=np.array(named, self.day.named.dtype),
            bands=self.bands,
        )

    def places(self) -> tuple[list[int], list[int]]:
        """Each place that may be given: whose, and what it costs; the cheapest were taken first."""
        rows = self.rows[: self.workers].copy()
        rows["free"][sorted(self.gone)] = 0
        start, cost = places_of(rows, self.bands)
        whose: list[int] = []
        charged: list[int] = []
        for worker in range(self.workers):
            taken = sum(1 for holder in self.fast.values() if holder == worker)
            left = cost[start[worker] + taken : start[worker + 1]].tolist()
            whose, charged = whose + [worker] * len(left), charged + left
        return whose, charged

    def best(self, pairs: Pairs) -> int:
        """What another solver finds on these pairs."""
        whose, charged = self.places()
        table = np.zeros((max(1, len(self.day)), len(whose) + 1), np.int64)
        columns: dict[int, list[int]] = {}
        for column, worker in enumerate(whose):
            columns.setdefault(worker, []).append(column)
        for request, worker, value in zip(*(column.tolist() for column in pairs), strict=True):
            for column in columns.get(worker, []):
                table[request, column] = max(0, value - charged[column])
        chosen = linear_sum_assignment(table, maximize=True)
        return int(table[chosen].sum())


def prove(live: Live, case: Case, pairs: Pairs) -> None:
    """The plan is feasible, no pair is worth more than the prices say, and surpluses and prices add up to what it is worth."""
    held, open_requests = live.net, np.flatnonzero(live.state[: len(case.requests)] == State.OPEN)
    worth = {(r, w): v for r, w, v in zip(*(column.tolist() for column in pairs), strict=True)}
    whose, charged = case.places()
    mates = {int(r): int(held.mate[r]) for r in open_requests if held.mate[r] >= 0}
    for worker in range(case.workers):
        costs = [cost for at, cost in zip(whose, charged, strict=True) if at == worker]
        taken = sum(1 for mate in mates.values() if mate == worker)
        assert taken <= len(costs)
        assert not costs or int(held.price[worker]) >= (costs[taken - 1] if taken else 0)
    value = sum(worth[pair] for pair in mates.items())
    for (request, worker), most in worth.items():
        assert worker not in whose or most <= held.surplus[request] + held.price[worker]
    paid = sum(max(0, int(held.price[w]) - cost) for w, cost in zip(whose, charged, strict=True))
    spent = 0
    for worker in set(mates.values()):
        costs = [cost for at, cost in zip(whose, charged, strict=True) if at == worker]
        spent += sum(costs[: sum(1 for mate in mates.values() if mate == worker)])
    assert live.objective == value - spent == int(held.surplus[open_requests].sum()) + paid


@dataclass
class History:
    """Changes, told to Live and to the case alike. `at` points at whom; each answers the moves that Live tells."""

    live: Live
    case: Case

    def mates(self) -> dict[int, int]:
        """With whom each request is."""
        found = {r: self.live.worker_with(r) for r in range(len(self.case.requests))}
        return {r: w for r, w in found.items() if w >= 0}

    def in_state(self, state: State) -> list[int]:
        """Requests in a state that are with somebody."""
        return [r for r in self.mates() if self.live.state[r] == state]

    def play(self, change: str, at: int, let_move: bool) -> None:
        """One change; what stood fast and was not let move is where it was, and what moved is told."""
        before = self.mates()
        still = change in ("offer", "accept")
        movable = self.in_state(State.OFFERED)[:2] if let_move and not still else []
        for request in movable:
            self.case.fast.pop(request)
        told = getattr(self, change)(at, movable)
        after = self.mates()
        self.case.fast |= {r: after[r] for r in movable if self.live.state[r] == State.OFFERED}
        assert all(after[r] == w for r, w in self.case.fast.items()), "what stands fast is never moved"
        changed = before.keys() | after.keys()
        moved = {(r, before.get(r, -1), after.get(r, -1)) for r in changed if before.get(r) != after.get(r)}
        assert set(told) == moved

    def arrive(self, at: int, movable: list[int]) -> Any:
        case, request = self.case, len(self.case.requests)
        if request == REQUESTS:
            return self.cancel(at, movable)
        case.requests.append(request)
        named = {w: m for (r, w), m in case.marks.items() if r == request and w < case.workers}
        facts = (case.day.demand[request], case.day.lines[request], int(case.day.serving[request]))
        return self.live.arrive(Arrival(case.day.request_ids[request], *facts, named), movable=movable).moves

    def cancel(self, at: int, movable: list[int]) -> Any:
        request = at % len(self.case.requests)
        self.case.fast.pop(request, None)
        return self.live.cancel(request, movable=movable).moves

    def decline(self, at: int, movable: list[int]) -> Any:
        mates = self.mates()
        asked = [r for r in mates if self.live.state[r] != State.ACCEPTED and r not in movable]
        if not asked:
            return self.cancel(at, movable)
        request = asked[at % len(asked)]
        pair = (request, mates[request])
        self.case.marks[pair] = self.case.marks.get(pair, 0) | EXCLUDED
        self.case.fast.pop(request, None)
        moves = self.live.decline(*pair, movable=movable).moves
        assert movable or self.live.worker_with(request) != pair[1]
        return moves

    def withdraw(self, at: int, movable: list[int]) -> Any:
        worker = at % self.case.workers
        self.case.gone.add(worker)
        for request in self.in_state(State.OFFERED):
            if self.case.fast.get(request) == worker:
                self.case.fast.pop(request)
        return self.live.withdraw(worker, movable=movable).moves

    def join(self, at: int, movable: list[int]) -> Any:
        case, workers = self.case, self.case.day.workers
        back = sorted(case.gone)
        if case.workers == WORKERS and not back:
            return self.withdraw(at, movable)
        worker = back[at % len(back)] if (back and at % 2) or case.workers == WORKERS else case.workers
        case.workers = max(case.workers, worker + 1)
        case.gone.discard(worker)
        joiner = Joiner(workers.ids[worker], case.rows[worker], workers.proficiency[worker])
        return self.live.join(joiner, movable=movable).moves

    def grow(self, at: int, movable: list[int], by: int = 1) -> Any:
        rows, worker = self.case.rows, at % self.case.workers
        if worker in self.case.gone or rows["capacity"][worker] + by < 1:
            return self.cancel(at, movable)
        rows["capacity"][worker] += by
        rows["free"][worker] += by
        return self.live.resize(worker, int(rows["capacity"][worker]), movable=movable).moves

    def shrink(self, at: int, movable: list[int]) -> Any:
        return self.grow(at, movable, by=-1)

    def offer(self, at: int, movable: list[int]) -> Any:
        if planned := self.in_state(State.OPEN):
            request = planned[at % len(planned)]
            self.live.offer_out([request])
            self.case.fast[request] = self.live.worker_with(request)
        return ()

    def accept(self, at: int, movable: list[int]) -> Any:
        if waiting := self.in_state(State.OFFERED) + self.in_state(State.OPEN):
            request = waiting[at % len(waiting)]
            self.live.accept(request)
            self.case.fast[request] = self.live.worker_with(request)
        return ()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(1, 3),
    banded=st.booleans(),
    few=st.booleans(),
    changes=st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 10**6), st.booleans()), max_size=20),
)
def test_after_any_history_it_is_as_good_as_solving_afresh(
    seed: int, banded: bool, few: bool, changes: list[tuple[str, int, bool]]
) -> None:
    case = Case(whole(seed), BANDS if banded else ())
    batch = case.problem(case.requests)
    live = Live(batch, solve(batch), pairs_each=1)
    assert live.status == OPTIMAL
    prove(live, case, live.kept_pairs())
    history = History(live, case)
    for change in changes:
        history.play(*change)
        prove(live, case, live.kept_pairs())
    assert live.objective == case.best(live.kept_pairs())
    with pytest.MonkeyPatch.context() as patch:
        if few:  # so that a look takes in less than it finds
            patch.setattr("services.matching.optimum.live.MORE_PAIRS", 1)
            patch.setattr("services.matching.optimum.live.CLAIMS_MOST", 1)
            patch.setattr("services.matching.optimum.stand.CLAIMS_MOST", 1)
        live.restate()
    wanted = [r for r in case.requests if live.state[r] == State.OPEN]
    pairs = all_pairs(case.problem(wanted))
    pairs = Pairs(np.array(wanted, np.int64)[pairs.request], pairs.worker, pairs.value)
    assert live.status == OPTIMAL
    prove(live, case, pairs)
    assert live.objective == case.best(pairs)


def test_what_was_not_looked_at_again_is_not_called_optimal_over_all() -> None:
    case = Case(whole(1), ())
    batch = case.problem(case.requests)
    live = Live(batch, solve(batch), pairs_each=1)
    live.cancel(0)
    assert live.status == KEPT
    live.restate(deadline_s=-1)
    live.restate()
    assert live.status == OPTIMAL


def test_who_has_withdrawn_changes_no_capacity_before_they_come_back() -> None:
    problem = whole(2)
    live = Live(problem, solve(problem))
    worker = int(live.net.mate[live.net.mate >= 0][0])
    live.withdraw(worker)
    with pytest.raises(ValueError, match="withdrawn"):
        live.resize(worker, 3)
    rows = problem.workers.rows
    live.join(Joiner(problem.workers.ids[worker], rows[worker], problem.workers.proficiency[worker]))
    live.resize(worker, int(rows["capacity"][worker]) + 1)
    assert live.net.places[worker] == rows["free"][worker] + 1
    live.restate()
    assert live.objective >= solve(problem).objective


def test_a_batch_that_a_deadline_ended_is_repaired_to_the_optimum() -> None:
    problem = day([code for code in villages() if code.startswith("3501")], 600, 5, size=250).problem
    live = Live(problem, solve(problem, deadline_s=0))
    assert live.status == KEPT
    live.restate()
    assert (live.status, live.objective) == (OPTIMAL, solve(problem).objective)
