"""The crowd: many calls for help, each carried to service or to an ending with a reason, in waves of the clock."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from banyan.demo.api import Actor, Problem
from banyan.demo.stage import Stage
from banyan.demo.world import request

WAVES = 8
SHARES = (("accept", 0.78), ("decline", 0.14), ("silent", 0.08))
DONE = {"in_service", "completed", "followed_up", "closed"}
REASONS = ("手上个案较多", "与本人其他安排冲突", "路途较远")


@dataclass(frozen=True)
class Turn:
    """One request's next step. All of a wave are planned before the first is done, so that they follow from the seed
    and not from who was quicker. No worker: nobody is left to ask."""

    id: str
    worker_id: str | None
    offered: bool  # the offer stands already
    choice: str
    points: int
    better: int | None  # points at the end, where the service ends at once
    reason: str


@dataclass
class Crowd:
    """The requests of the crowd and what became of each."""

    stage: Stage
    forward: Callable[[str], None]
    draw: random.Random
    ids: list[str] = field(default_factory=list)
    declined: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    closed: dict[str, str] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)  # how often which rule said no
    held: Counter[str] = field(default_factory=Counter)  # places that each worker has given away

    def take_all(self, count: int) -> None:
        """Everybody asks for help; the station lead assesses each."""
        stage = self.stage
        wanted = [request(stage.world, self.draw) for _ in range(count)]
        take = (lambda body=body: self._take(body) for body in wanted)
        for number, id in enumerate(stage.api.all_of(take), 1):
            self.ids.append(id)
            stage.progress("接案与预估", number, count)

    def _take(self, body: dict[str, Any]) -> str:
        stage = self.stage
        taken = stage.api.command(stage["desk"], "matching", "take_request", **body)
        same = {name: body[name] for name in ("urgency", "field", "functions")}
        stage.api.command(stage["lead"], "matching", "triage_request", request_id=taken["id"], **same)
        return str(taken["id"])

    def serve(self, first: Callable[[], None], half_way: Callable[[], None]) -> None:
        """Waves of dispatch and answer until nobody is left; something happens before the first, and at half-way."""
        self.settle()
        self.forward("95m")
        first()
        for wave in range(WAVES):
            open_now = [id for id in self.ids if id not in self.served and id not in self.closed]
            if not open_now:
                return
            if wave == 1:
                half_way()
            self.settle()
            turns = self._plan(open_now, last=wave == WAVES - 1)
            title = f"派单与接单（第 {wave + 1} 轮）"
            done = self.stage.api.all_of([partial(self._take_turn, turn) for turn in turns])
            for number, (turn, keeps) in enumerate(zip(turns, done, strict=True), 1):
                self.stage.progress(title, number, len(turns))
                if turn.worker_id and not keeps:
                    self.held[turn.worker_id] -= 1
            self.settle()
            self.forward("26h")
            self.settle()

    def settle(self) -> None:
        """Waits until the reactions to what was done have come: positions stand still for a moment."""
        before: dict[str, str] = {}
        for _ in range(120):
            now = self.stage.api.get(self.stage["partner"], "/v1/streams").json()
            if now == before:
                return
            before = now
            time.sleep(0.6)

    def _plan(self, ids: list[str], *, last: bool) -> list[Turn]:
        """The next step of each open request, in the order in which they were taken; one that could only go to workers
        who have no place left waits for the next wave."""
        lead = self.stage["lead"]
        looks = [partial(self.stage.api.ask, lead, "matching", "request_detail", request_id=id) for id in ids]
        turns = []
        for view in self.stage.api.all_of(looks):
            if view["state"] in DONE:
                continue
            asked = {offer["worker_id"] for offer in view["offers"]}
            offered = next((o["worker_id"] for o in view["offers"] if o["answer"] is None), None)
            left = [c["worker_id"] for c in view["candidates"] if c["worker_id"] not in asked]
            free = next((w for w in left if self.held[w] < self.stage.places[w]), None)
            worker_id = offered or free
            if worker_id is None and left and not last:
                continue
            if worker_id is not None:
                self.held[worker_id] += 1
            turns.append(self._drawn(view["id"], worker_id, offered=offered is not None))
        return turns

    def _drawn(self, id: str, worker_id: str | None, *, offered: bool) -> Turn:
        choice = self.draw.choices([name for name, _ in SHARES], [share for _, share in SHARES])[0]
        points, more = self.draw.randint(20, 60), self.draw.randint(0, 30)
        better = points + more if self.draw.random() < 0.5 else None
        return Turn(id, worker_id, offered, choice, points, better, self.draw.choice(REASONS))

    def _take_turn(self, turn: Turn) -> bool:
        """The lead confirms the next candidate, and the worker answers or does not; true where a place stays taken."""
        if turn.worker_id is None:
            self._end(turn.id)
            return False
        lead, worker = self.stage["lead"], self.stage.workers[turn.worker_id]
        if not turn.offered and not self._tried("confirm_dispatch", lead, turn.id, worker_id=turn.worker_id):
            return False
        if turn.choice == "accept" and self._tried("accept_offer", worker, turn.id):
            return self._begin(turn, worker)
        if turn.choice == "decline" and self._tried("decline_offer", worker, turn.id, reason=turn.reason):
            self.declined.add(turn.id)
        return False

    def _begin(self, turn: Turn, worker: Actor) -> bool:
        start = [{"scale": "生活功能", "points": turn.points}]
        self._tried("start_service", worker, turn.id, outcome=start)
        self.served.add(turn.id)
        if turn.better is None:
            return True
        end = [{"scale": "生活功能", "points": turn.better}]
        return not self._tried("complete_service", worker, turn.id, outcome=end, minutes_served=90)

    def _end(self, id: str) -> None:
        """Nobody fits: the duty officer refers the case, with the receipt of whoever takes it."""
        body = {"to": "县救助管理站", "receipt": f"R-{id[-6:]}", "reason": "本地暂无合适社工"}
        if self._tried("refer_request", self.stage["duty1"], id, **body):
            self.closed[id] = "referred"

    def _tried(self, method: str, actor: Any, id: str, **body: Any) -> bool:
        """True where the command took effect; a rule's no (somebody was faster) is a turn lost, not an error."""
        try:
            self.stage.api.command(actor, "matching", method, request_id=id, **body)
        except Problem as problem:
            self.refusals[problem.code] += 1
            return False
        return True
