"""The plan for the open requests after a batch, and the steps that every live change is made of."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from services.matching.optimum import flow, net, paths
from services.matching.optimum.net import NOBODY
from services.matching.optimum.problem import Problem, places_of
from services.matching.optimum.solution import OPTIMAL, Solution
from services.matching.optimum.stand import CLAIMS_MOST, NEVER, Joiner, Stand
from services.matching.optimum.sweep import Pairs, sweep
from services.matching.ranking.arrays import Ints

KEPT = "optimal_kept_pairs"
"""Optimal on the pairs kept; nobody has looked through all pairs since the last change."""
PAIRS_EACH = 24
WITHIN_POINTS = 6_000
"""After a batch a request keeps the pairs that are so near to its best one at the batch's prices."""


class State(IntEnum):
    """Open: in the net, with a worker or without. Offered, accepted: stands fast. Gone: cancelled."""

    OPEN = 0
    OFFERED = 1
    ACCEPTED = 2
    GONE = 3


class Move(NamedTuple):
    """A request that is with another worker now than before; -1: nobody."""

    request: int
    before: int
    now: int


class Change(NamedTuple):
    """What a call changed, by number of request, and how many workers its searches looked at."""

    moves: tuple[Move, ...]
    looked: int


class Plan:
    """The net of the open requests on the pairs kept, beside it what stands fast. Each step leaves the net optimal, except
    where it says otherwise. Everybody is known by number, as in `Stand`."""

    def __init__(self, problem: Problem, found: Solution, *, pairs_each: int = PAIRS_EACH) -> None:
        self.stand, self.pairs_each = Stand(problem), pairs_each
        many, workers, served = len(problem), len(problem.workers), np.flatnonzero(found.assigned >= 0)
        kept = self._kept(found)
        by, used = np.full(many, NOBODY, np.int64), _used(kept, found)
        by[kept.request[used]] = used
        self.net = flow.net_of(problem, kept, by)
        start, cost = problem.places
        self.ladder = start.copy()
        self.net = self.net._replace(first_place=start.copy(), place_cost=cost.copy())
        self.net.price[:] = found.prices
        self.net.surplus[served] = kept.value[by[served]] - found.prices[found.assigned[served]]
        self.free, self.taken = problem.free.copy(), np.zeros(workers, np.int64)
        self.state = np.full(many, State.OPEN, np.int8)
        self._spare, self._pairs = list[int](), len(kept)
        self._number = {"request": _numbers(problem.request_ids), "worker": _numbers(problem.workers.ids)}
        proved = found.status == OPTIMAL
        self._proved_surplus = self.net.surplus.copy() if proved else np.full(many, NEVER)
        self._proved_price = np.where((self.free > 0) & proved, self.net.price, NEVER)
        better = kept.value > self.net.surplus[kept.request] + self.net.price[kept.worker]
        self.net.pair_on[: len(kept)] = ~better
        paths.place_anew(self.net, np.unique(kept.request[better]))
        self._told(0, ())
        self.status = OPTIMAL if proved else KEPT

    def request_number(self, name: str) -> int:
        """The number of a request by its id."""
        return self._number["request"][name]

    def worker_number(self, name: str) -> int:
        """The number of a worker by their id."""
        return self._number["worker"][name]

    def worker_with(self, request: int) -> int:
        """With whom a request is, be it planned, offered or accepted; -1: nobody."""
        return int(self.net.mate[request])

    @property
    def objective(self) -> int:
        """What the plan for the open requests is worth; what stands fast is not in it."""
        return flow.objective(self.net)

    def kept_pairs(self) -> Pairs:
        """The pairs that open requests may use, by request."""
        held = self.net
        lists = [net.chain(held.first_of_request[r], held.next_of_request) for r in self._open().tolist()]
        pairs = np.concatenate([np.zeros(0, np.int64), *lists])
        return Pairs(*(each[pairs].astype(np.int64) for each in (held.pair_request, held.pair_worker, held.pair_value)))

    def _open(self) -> Ints:
        return np.flatnonzero(self.state[: self.stand.requests] == State.OPEN)

    def _link(self, pairs: Pairs) -> Ints:
        """Gives pairs numbers, those of pairs gone first, and links them, off; answers the numbers."""
        again = [self._spare.pop() for _ in range(min(len(self._spare), len(pairs)))]
        fresh = range(self._pairs, self._pairs + len(pairs) - len(again))
        self._pairs += len(fresh)
        self.net = net.roomy(self.net, pairs=self._pairs)
        numbers = np.array([*again, *fresh], np.int64)
        self.net.pair_request[numbers], self.net.pair_worker[numbers], self.net.pair_value[numbers] = pairs
        net.link(self.net, numbers)
        return numbers

    def _unlink(self, pairs: Ints) -> None:
        net.unlink(self.net, pairs)
        self._spare.extend(pairs.tolist())

    def _places(self, worker: int, taken: int) -> None:
        """So many more of a worker's places are taken; the cheapest go first."""
        self.taken[worker] += taken
        off = min(self.taken[worker], self.free[worker])
        self.net.places[worker] = self.free[worker] - off
        self.net.first_place[worker] = self.ladder[worker] + off

    def _hold(self, request: int) -> None:
        """A planned request stands fast: its place is taken off and it leaves the net; prices stay as they are."""
        worker = int(self.net.mate[request])
        if self.state[request] != State.OPEN or worker < 0:
            raise ValueError(f"request {request} is not planned with anybody")
        net.part(self.net, request)
        self.net.mate[request] = worker
        self.net.surplus[request] = 0
        self._turn(request, on=False)
        self._offered(request, worker)
        self._places(worker, 1)
        self.state[request] = State.OFFERED

    def _turn(self, request: int, *, on: bool) -> None:
        self.net.pair_on[net.chain(self.net.first_of_request[request], self.net.next_of_request)] = on

    def _offered(self, request: int, worker: int) -> None:
        """Notes with whom an offer is out (NOBODY: with nobody); that pair, which is off, counts for so many points more."""
        held, stand = self.net, self.stand
        pairs = net.chain(held.first_of_request[request], held.next_of_request)
        whose, points = held.pair_worker[pairs].astype(np.int64), stand.demand["offered_points"][request]
        was = stand.is_offered(request, whose)
        stand.offered(request, worker)
        held.pair_value[pairs] += points * (stand.is_offered(request, whose) - was)

    def _let_go(self, request: int) -> int:
        """A request that stood fast is with nobody; answers with whom it was."""
        worker = int(self.net.mate[request])
        self._offered(request, NOBODY)
        net.note(self.net, request)
        self.net.mate[request] = NOBODY
        self._places(worker, -1)
        return worker

    def _give_back(self, request: int) -> int:
        """The same, and its place goes to who gains most by it."""
        return int(paths.give_out(self.net, self._let_go(request)))

    def _enter(self, request: int) -> int:
        """A request that is with nobody takes part, with all of its pairs."""
        self.state[request] = State.OPEN
        self._proved_surplus[request] = NEVER
        self._turn(request, on=True)
        return int(paths.insert(self.net, request))

    def _release(self, movable: Sequence[int]) -> int:
        """Offers out that may move take part again."""
        looked = 0
        for request in sorted(movable):
            if self.state[request] != State.OFFERED:
                raise ValueError(f"request {request} is not offered to anybody")
            worker = int(self.net.mate[request])
            looked += self._give_back(request)
            self._offered(request, worker)
            looked += self._enter(request)
        return looked

    def _empty(self, worker: int, offered: Ints) -> int:
        """A worker has no pairs any more; their requests are placed anew, most worthy first."""
        held, requests = self.net, list[int]()
        for request in offered.tolist():
            self._let_go(request)
            requests.append(request)
        while held.head[worker] >= 0:
            requests.append(int(held.head[worker]))
            net.part(held, requests[-1])
        self._unlink(net.chain(held.first_of_worker[worker], held.next_of_worker))
        held.places[worker] = held.price[worker] = 0
        return sum(self._enter(request) for request in sorted(requests, key=lambda r: (-self.stand.serving[r], r)))

    def _join(self, joiner: Joiner, number: int) -> int:
        """A worker without pairs gets theirs, and their places go out."""
        self._settle_in(joiner, number)
        request, value = self.stand.claims(number, self._open(), self.net.surplus, CLAIMS_MOST)
        pairs = self._link(Pairs(request, np.full(len(request), number), value))
        self.net.pair_on[pairs] = True
        return int(paths.give_out(self.net, number))

    def _settle_in(self, joiner: Joiner, number: int) -> None:
        """The worker as they are now, with the places that they give; nothing is proved of them."""
        self.stand.join(joiner, number)
        start, cost = places_of(self.stand.rows[number : number + 1], self.stand.bands)
        self.ladder[number], self.free[number] = len(self.net.place_cost), start[1]
        self.net = self.net._replace(place_cost=np.concatenate([self.net.place_cost, cost]))
        self._places(number, 0)
        self._proved_price[number] = NEVER

    def _revalue(self, worker: int) -> int:
        """A worker's pairs and places have changed. The price becomes the least that the pairs allow, so that whom this leaves
        as well off as before stays; the others, and whom no place is left for, are placed anew."""
        held = self.net
        pairs = net.chain(held.first_of_worker[worker], held.next_of_worker)
        requests = held.pair_request[pairs].astype(np.int64)
        held.pair_value[pairs] = self.stand.values(requests, np.full(len(pairs), worker))
        asked = (held.pair_value[pairs] - held.surplus[requests])[held.pair_on[pairs]]
        theirs = net.chain(held.head[worker], held.after)
        theirs = theirs[np.argsort(held.surplus[theirs], kind="stable")]
        out = theirs[: max(0, len(theirs) - held.places[worker])]
        least = net.cost(held, worker, len(theirs) - len(out) - 1) if len(theirs) > len(out) else 0
        held.price[worker] = max(least, int(asked.max(initial=0)))
        surplus = held.pair_value[held.by[theirs]] - held.price[worker]
        anew = (surplus != held.surplus[theirs]) | np.isin(theirs, out)
        for request, left in zip(theirs[anew].tolist(), surplus[anew].tolist(), strict=True):
            self._turn(request, on=False)
            if left < 0 or request in out:
                net.part(held, request)
            held.surplus[request] = max(0, left) if held.mate[request] >= 0 else 0
        moving = theirs[anew]
        looked = int(paths.give_out(held, worker))
        return looked + int(paths.place_anew(held, moving[np.lexsort((moving, -self.stand.serving[moving]))]))

    def _told(self, looked: int, movable: Sequence[int]) -> Change:
        """What moved since the last change; offers that were let move stand fast again."""
        for request in sorted(movable):
            if self.state[request] == State.OPEN:
                if self.net.mate[request] >= 0:
                    self._hold(request)
                else:
                    self._offered(request, NOBODY)
        held = self.net
        moved = np.sort(held.trail[1 : 1 + held.trail[0]]).tolist()
        moves = (Move(r, int(held.came_from[r]), int(held.mate[r])) for r in moved)
        told = tuple(move for move in moves if move.before != move.now)
        held.came_from[moved] = net.UNMOVED
        held.trail[0] = 0
        self.status = KEPT
        return Change(told, looked)

    def _kept(self, found: Solution) -> Pairs:
        """The best pairs of each request at the batch's prices, and those in use."""
        stand = self.stand
        pairs = sweep(stand.sheet, found.prices, found.surplus - WITHIN_POINTS, self.pairs_each)
        missing = found.assigned >= 0
        missing[pairs.request[_used(pairs, found)]] = False
        absent = np.flatnonzero(missing)
        worker = found.assigned[absent]
        more = (absent, worker, stand.values(absent, worker))
        return Pairs(*(np.concatenate(both) for both in zip(pairs, more, strict=True)))


def _used(pairs: Pairs, found: Solution) -> Ints:
    """The numbers of the pairs that are in use."""
    return np.flatnonzero(pairs.worker == found.assigned[pairs.request])


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
