"""Live repair: after a batch each change is answered by the best assignment on the pairs kept, in milliseconds.

Accepted work and offers out stand fast: their places are taken off and their requests are out of the net. Values stay as
the batch worked them out (waiting, share of free places) until the next batch, or until the worker's capacity changes.
A repair is optimal on the pairs kept; `restate` looks through all pairs and says so again of all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from services.matching.optimum import net, paths
from services.matching.optimum.plan import Change, Plan, State
from services.matching.optimum.solution import OPTIMAL
from services.matching.optimum.solve import MORE_PAIRS
from services.matching.optimum.stand import CLAIMS_MOST, NEVER, Arrival, Joiner, roomy
from services.matching.optimum.sweep import Pairs


class Live(Plan):
    """Who goes to whom, kept optimal through changes.

    `movable`, in every change: offers out that an officer lets move in it; they stand fast again where they are then.
    """

    def arrive(self, arrival: Arrival, *, movable: Sequence[int] = ()) -> Change:
        """A request comes, under the next number; it keeps its best pairs at the prices as they are."""
        looked = self._release(movable)
        number = self.stand.arrive(arrival)
        self._number["request"][arrival.id] = number
        self.net = net.roomy(self.net, requests=number + 1)
        self.state = roomy(self.state, number + 1)
        self._proved_surplus = roomy(self._proved_surplus, number + 1)
        worker, value = self.stand.best_of(number, self.net.price, self.pairs_each)
        self._link(Pairs(np.full(len(worker), number), worker, value))
        return self._told(looked + self._enter(number), movable)

    def cancel(self, request: int, *, movable: Sequence[int] = ()) -> Change:
        """A request, whatever its state, is no longer wanted; its place goes to another."""
        looked = self._release(movable)
        if self.state[request] == State.OPEN:
            looked += paths.take_out(self.net, request)
        elif self.state[request] != State.GONE:
            looked += self._give_back(request)
        self._unlink(net.chain(self.net.first_of_request[request], self.net.next_of_request))
        self.state[request] = State.GONE
        return self._told(looked, movable)

    def decline(self, request: int, worker: int, *, movable: Sequence[int] = ()) -> Change:
        """A worker declines a request, planned or offered: the pair is forbidden from now on, the request placed anew."""
        if self.state[request] == State.ACCEPTED:
            raise ValueError(f"request {request} is accepted")
        looked = self._release(movable)
        stood, theirs = self.state[request] == State.OFFERED, self.net.mate[request] == worker
        if theirs:
            looked += self._give_back(request) if stood else paths.take_out(self.net, request)
        self.stand.exclude(request, worker)
        pairs = net.chain(self.net.first_of_request[request], self.net.next_of_request)
        self._unlink(pairs[self.net.pair_worker[pairs] == worker])
        if theirs:
            looked += self._enter(request)
        return self._told(looked, movable)

    def withdraw(self, worker: int, *, movable: Sequence[int] = ()) -> Change:
        """A worker gives no more places: their requests, offered ones too, are placed anew. Accepted work stays."""
        looked = self._release(movable)
        offered = np.flatnonzero((self.net.mate[: len(self.state)] == worker) & (self.state == State.OFFERED))
        self.stand.leave(worker)
        self.free[worker] = 0
        looked += self._empty(worker, offered)
        return self._told(looked, movable)

    def join(self, joiner: Joiner, *, movable: Sequence[int] = ()) -> Change:
        """A worker comes, under the next number, or comes back: their places go to who gains most by them.

        `free` of a worker who comes back counts what they accepted here before as free; it is taken off again.
        """
        looked = self._release(movable)
        number = self._number["worker"].setdefault(joiner.id, self.stand.workers)
        self.net = net.roomy(self.net, workers=number + 1)
        for name in ("ladder", "free", "taken", "_proved_price"):
            setattr(self, name, roomy(getattr(self, name), number + 1))
        return self._told(looked + self._join(joiner, number), movable)

    def resize(self, worker: int, capacity: int, *, movable: Sequence[int] = ()) -> Change:
        """A worker's places a week change: their pairs are valued anew, for the share of free places is a term. Refuses
        (ValueError) one who has withdrawn: they `join` first."""
        if worker in self.stand.gone:
            raise ValueError(f"worker {worker} has withdrawn")
        looked = self._release(movable)
        stand = self.stand
        row = stand.rows[worker : worker + 1].copy()
        row["free"] += capacity - row["capacity"]
        row["capacity"] = capacity
        self._settle_in(Joiner(stand.worker_ids[worker], row[0], stand.proficiency[worker].copy()), worker)
        return self._told(looked + self._revalue(worker), movable)

    def offer_out(self, requests: Sequence[int]) -> None:
        """Offers go out: these planned requests stand fast with their workers. Refuses (ValueError) one without a worker."""
        for request in requests:
            self._hold(request)

    def accept(self, request: int) -> None:
        """An offer, or what was planned, is accepted: it is never moved any more."""
        if self.state[request] != State.OFFERED:
            self._hold(request)
        self._unlink(net.chain(self.net.first_of_request[request], self.net.next_of_request))
        self.state[request] = State.ACCEPTED

    def restate(self, *, deadline_s: float | None = None) -> Change:
        """Looks through all pairs and repairs until none is worth more than the prices say: `optimal_all_pairs`.

        Since the last look only what became cheaper can be worth more: requests whose surplus fell or who are new, and
        workers whose price fell. After `deadline_s` seconds it ends as far as it came, and the status stays.
        """
        until, looked = time.monotonic() + (deadline_s if deadline_s is not None else math.inf), 0
        while True:
            better = self._better()
            if len(better) and time.monotonic() >= until:
                return self._told(looked, ())
            self._link(better)
            self._looked_through(better)
            if not len(better):
                break
            requests = np.unique(better.request)
            worth = self.stand.serving[requests]
            looked += paths.place_anew(self.net, requests[np.argsort(-worth, kind="stable")])
        change = self._told(looked, ())
        self.status = OPTIMAL
        return change

    def _looked_through(self, better: Pairs) -> None:
        """Every pair is kept or covered by surplus and price as they are, but where a look ended at the most it takes in."""
        held, many = self.net, self.stand.requests
        whole = np.bincount(better.request, minlength=many) < MORE_PAIRS
        covered = (self.state[:many] == State.OPEN) & whole
        self._proved_surplus[:many] = np.where(covered, held.surplus[:many], NEVER)
        ended = np.bincount(better.worker, minlength=len(held.price)) >= CLAIMS_MOST
        self._proved_price[:] = np.where((held.places > 0) & ~ended, held.price, NEVER)[: len(self._proved_price)]

    def _better(self) -> Pairs:
        """Pairs worth more than the prices say, over all workers who give a place, where anything became cheaper."""
        held, wanted = self.net, self._open()
        fell = held.surplus[wanted] < self._proved_surplus[wanted]
        price = np.where(held.places > 0, held.price, NEVER)
        cheaper = np.where(
            price[: self.stand.workers] < self._proved_price[: self.stand.workers], price[: self.stand.workers], NEVER
        )
        found = [self.stand.better(wanted[fell], price, held.surplus, MORE_PAIRS)]
        if (cheaper < NEVER).any():
            found.append(self.stand.better(wanted[~fell], cheaper, held.surplus, MORE_PAIRS))
        return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))
