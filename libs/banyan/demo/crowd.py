"""The crowd: many calls for help, each carried to service or to an ending with a reason, in waves of the clock."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from banyan.demo.api import Problem
from banyan.demo.stage import Stage
from banyan.demo.world import request

WAVES = 8
SHARES = (("accept", 0.78), ("decline", 0.14), ("silent", 0.08))
DONE = {"in_service", "completed", "followed_up", "closed"}
REASONS = ("手上个案较多", "与本人其他安排冲突", "路途较远")


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

    def serve(self, half_way: Callable[[], None]) -> None:
        """Waves of dispatch and answer until nobody is left; at half-way something happens."""
        self._settle()
        self.forward("95m")
        for wave in range(WAVES):
            open_now = [id for id in self.ids if id not in self.served and id not in self.closed]
            if not open_now:
                return
            if wave == 1:
                half_way()
            self._settle()
            step = (lambda id=id, wave=wave: self._step(id, last=wave == WAVES - 1) for id in open_now)
            for number, _ in enumerate(self.stage.api.all_of(step), 1):
                self.stage.progress(f"派单与接单（第 {wave + 1} 轮）", number, len(open_now))
            self._settle()
            self.forward("26h")
            self._settle()

    def _settle(self) -> None:
        """Waits until the reactions to what was done have come: positions stand still for a moment."""
        before: dict[str, str] = {}
        for _ in range(120):
            now = self.stage.api.get(self.stage["partner"], "/v1/streams").json()
            if now == before:
                return
            before = now
            time.sleep(0.6)

    def _step(self, id: str, *, last: bool) -> None:
        """One request one step on: the lead confirms the next candidate, and the worker answers or does not."""
        stage, lead = self.stage, self.stage["lead"]
        view = stage.api.ask(lead, "matching", "request_detail", request_id=id)
        if view["state"] in DONE:
            return
        asked = {offer["worker_id"] for offer in view["offers"]}
        waiting = next((o["worker_id"] for o in view["offers"] if o["answer"] is None), None)
        if waiting is None:
            waiting = next((c["worker_id"] for c in view["candidates"] if c["worker_id"] not in asked), None)
            if waiting is None or last:
                self._end(id, view)
                return
            if not self._tried("confirm_dispatch", lead, id, worker_id=waiting):
                return
        self._answer(id, waiting)

    def _answer(self, id: str, worker_id: str) -> None:
        worker = self.stage.workers[worker_id]
        choice = self.draw.choices([name for name, _ in SHARES], [share for _, share in SHARES])[0]
        if choice == "accept" and self._tried("accept_offer", worker, id):
            points = self.draw.randint(20, 60)
            self._tried("start_service", worker, id, outcome=[{"scale": "生活功能", "points": points}])
            self.served.add(id)
            if self.draw.random() < 0.5:
                better = [{"scale": "生活功能", "points": points + self.draw.randint(0, 30)}]
                self._tried("complete_service", worker, id, outcome=better, minutes_served=90)
        elif choice == "decline" and self._tried("decline_offer", worker, id, reason=self.draw.choice(REASONS)):
            self.declined.add(id)

    def _end(self, id: str, view: dict[str, Any]) -> None:
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
