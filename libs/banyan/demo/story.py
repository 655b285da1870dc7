"""The story: a household asks, one declines, one is silent, one comes; a crisis is taken, another climbs; a protected
case stays among the named; nobody fits and the duty officer holds it; and who saw which name is told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from banyan.demo.api import Actor, Problem
from banyan.demo.stage import Stage
from banyan.demo.world import request
from banyan.kernel.context import Grant

WAIT_S = 30.0


@dataclass
class Story:
    """What happened, scene by scene, for the report."""

    stage: Stage
    forward: Callable[[str], None]
    say: Callable[[str], object]
    draw: random.Random
    example: dict[str, Any] = field(default_factory=dict)
    scenes: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    closed: dict[str, str] = field(default_factory=dict)
    escalated: set[str] = field(default_factory=set)

    def play(self) -> None:
        """All scenes in order."""
        self.family()
        self.crisis_taken()
        self.crisis_climbs()
        self.protected()
        self.nobody()

    def family(self) -> None:
        """接案 → 派单 → 退单 → 逾期 → 改派 → 接单 → 结案, with every term of the score and a why-not."""
        stage, lead = self.stage, self.stage["lead"]
        family = Actor(
            "a-demo-family", "求助家庭", (Grant(duty="resident", division=stage.world.area),), "c-demo-family"
        )
        body = self._asked(urgency=1, field="family", functions=["relationship_adjustment"], asked_by="self")
        contact = {"relation": "本人", "phone": "+8613800001234"}
        body |= {"client_name": "陈秀榕", "contacts": [contact], "story": "夫妻失和，孩子无人照看"}
        id = self._take(family, body)
        self._triage(id, body)
        view = self._until(id, lambda v: v["state"] == "proposed")
        asked = []
        ranking = stage.api.ask(lead, "matching", "rank_workers", request_id=id, k=5)
        last = ranking["items"][-1]["worker_id"]
        outside = next(w for w in stage.workers if w not in {r["worker_id"] for r in ranking["items"]})
        for scene, answer in (("退单", "decline"), ("逾期", "silent"), ("接单", "accept")):
            worker_id = next(c["worker_id"] for c in view["candidates"] if c["worker_id"] not in asked)
            asked.append(worker_id)
            self._command("confirm_dispatch", lead, id, worker_id=worker_id)
            self._until(id, lambda v: v["offers"][-1]["delivered_at"] is not None)
            card = self._card(worker_id, id)
            view = self._answer(id, worker_id, answer)
            self._note(f"普通个案·{scene}", id, {"worker": worker_id, "card": card})
        self.example = {
            "request_id": id,
            "ranking": ranking,
            "why_not": [
                stage.api.ask(lead, "matching", "why_not", request_id=id, worker_id=other) for other in (outside, last)
            ],
        }
        self._serve(id, asked[-1])
        self.example |= {"view": stage.api.ask(lead, "matching", "request_detail", request_id=id)}
        mine = stage.api.ask(family, "matching", "my_requests")
        self._note("本人可见自己的个案", id, {"items": len(mine["items"])})

    def crisis_taken(self) -> None:
        """A crisis: the numbers to call come first, a named duty person is paged and takes it."""
        id = self._take(
            self.stage["desk"], self._asked(urgency=3, field="mental_health", functions=["crisis_intervention"])
        )
        board = self.stage.api.ask(self.stage["duty1"], "matching", "crisis_board")
        self._command("acknowledge_crisis", self.stage["duty1"], id)
        self._note("危机·已确认", id, {"call_first": board["call_first"]})
        self._close(id, "duty1", "advice_only", "已电话陪伴并转接心理热线，当事人平稳")

    def crisis_climbs(self) -> None:
        """Nobody answers: the clock climbs, two people at each tier, until the province takes it."""
        id = self._take(
            self.stage["desk"], self._asked(urgency=3, field="emergency", functions=["crisis_intervention"])
        )
        for minutes in ("6m", "6m"):
            self.forward(minutes)
            self._board_moves(id)
        taker = "province1" if self.stage.world.size == "county" else "duty1"
        self._command("acknowledge_crisis", self.stage[taker], id)
        self.escalated.add(id)
        self._note("危机·逐级呼叫后确认", id, {"by": self.stage[taker].title})
        self._refer(id, taker)

    def protected(self) -> None:
        """A protected case reaches its named receivers only; others see a count, and break-glass leaves a trace."""
        stage = self.stage
        body = self._asked(urgency=2, field="family", functions=["rights_protection"], confidentiality="protected")
        body |= {
            "protected_kind": "violence",
            "receivers": [stage["duty1"].account],
            "client_name": "林某",
            "separate_consent": True,
        }
        id = self._take(stage["desk"], body)
        page = stage.api.ask(stage["duty2"], "matching", "requests", states=["submitted"], limit=500)
        refused = ""
        try:
            stage.api.ask(stage["duty2"], "matching", "request_detail", request_id=id)
        except Problem as problem:
            refused = problem.code
        self._command("break_glass", stage["duty2"], id, reason="家属到派出所报案，需立即核实人身安全")
        seen = stage.api.ask(stage["duty2"], "matching", "request_detail", request_id=id)
        looks = stage.api.ask(stage["auditor"], "matching", "who_looked", person_id=seen.get("client_id") or id)
        self._note(
            "受保护个案",
            id,
            {"not_shown": page["not_shown"], "refused_before": refused, "looks": looks["items"][:5]},
        )
        self._refer(id, "duty1")

    def nobody(self) -> None:
        """Nobody fits: the duty officer holds it, and it ends referred, with a receipt."""
        body = self._asked(
            urgency=1, field="conversion_training", functions=["capacity_building"], languages=["tibetan"]
        )
        id = self._take(self.stage["desk"], body)
        self._triage(id, body)
        view = self._until(id, lambda v: v["holder"] and v["holder"].get("duty") == "duty_officer")
        self._note("无合适社工", id, {"holder": view["holder"], "state": view["state"]})
        self._refer(id, "duty1")

    def left_open(self, log_in: Callable[[str], Actor]) -> Actor:
        """One offer is left unanswered, for whoever tries the gateway as its worker; answers the worker's log-in."""
        body = self._asked(urgency=1, field="family", functions=["relationship_adjustment"])
        contact = {"relation": "本人", "phone": "+8613800005678"}
        body |= {
            "client_name": "郑望海",
            "contacts": [contact],
            "story": "照料老人与上班难以兼顾",
            "address": "示例路 1 号",
        }
        id = self._take(self.stage["desk"], body)
        self._triage(id, body)
        view = self._until(id, lambda v: v["state"] == "proposed")
        for candidate in view["candidates"]:
            try:
                self._command("confirm_dispatch", self.stage["lead"], id, worker_id=candidate["worker_id"])
            except Problem as problem:
                if problem.code != "worker_unfit":
                    raise
                continue
            self._until(id, lambda v: v["offers"][-1]["delivered_at"] is not None)
            self._note("留待接单", id, {"worker": candidate["worker_id"]})
            return log_in(candidate["worker_id"])
        raise RuntimeError("没有可派的社工，无法留下一件待接单的个案")

    # the steps that scenes are made of

    def _asked(self, **given: Any) -> dict[str, Any]:
        return request(self.stage.world, self.draw) | {"asked_by": "other"} | given

    def _take(self, actor: Actor, body: dict[str, Any]) -> str:
        id = str(self.stage.api.command(actor, "matching", "take_request", **body)["id"])
        self.ids.append(id)
        return id

    def _triage(self, id: str, body: dict[str, Any]) -> None:
        same = {name: body[name] for name in ("urgency", "field", "functions")}
        self._command("triage_request", self.stage["lead"], id, **same)

    def _command(self, method: str, actor: Actor, id: str, **body: Any) -> dict[str, Any]:
        return self.stage.api.command(actor, "matching", method, request_id=id, **body)

    def _until(self, id: str, true: Callable[[dict[str, Any]], Any], who: str = "lead") -> dict[str, Any]:
        """The request once it is so; what reactions and notices bring takes a moment."""
        until = time.monotonic() + WAIT_S
        while True:
            view = self.stage.api.ask(self.stage[who], "matching", "request_detail", request_id=id)
            if true(view):
                return view
            if time.monotonic() > until:
                raise RuntimeError(f"个案未到预期状态：{view['state']} {view['holder']}")
            time.sleep(0.1)

    def _card(self, worker_id: str, id: str) -> dict[str, Any]:
        """What the worker sees before accepting: the need and a 1 km cell, no name."""
        offers = self.stage.api.ask(self.stage.workers[worker_id], "matching", "my_offers")["items"]
        return next((card for card in offers if card["request_id"] == id), {})

    def _answer(self, id: str, worker_id: str, answer: str) -> dict[str, Any]:
        worker = self.stage.workers[worker_id]
        if answer == "accept":
            self._command("accept_offer", worker, id)
            return self._until(id, lambda v: v["state"] == "accepted")
        if answer == "decline":
            self._command("decline_offer", worker, id, reason="手上个案较多")
        else:
            self.forward("25h")
        return self._until(id, lambda v: v["state"] == "proposed")

    def _serve(self, id: str, worker_id: str) -> None:
        worker = self.stage.workers[worker_id]
        self._command("start_service", worker, id, outcome=[{"scale": "家庭关系", "points": 40}])
        self.forward("3d")
        body = {"outcome": [{"scale": "家庭关系", "points": 68}], "minutes_served": 240}
        self._command("complete_service", worker, id, **body)
        self._command("follow_up", worker, id, well=True)
        self.served.add(id)

    def _board_moves(self, id: str) -> None:
        """Waits until the schedule has climbed after the clock was moved."""
        time.sleep(2.5)

    def _close(self, id: str, who: str, ending: str, reason: str) -> None:
        self._command("close_request", self.stage[who], id, ending=ending, reason=reason)
        self.closed[id] = ending

    def _refer(self, id: str, who: str) -> None:
        body = {"to": "县救助管理站", "receipt": f"R-{id[-6:]}", "reason": "转由专门机构办理"}
        self._command("refer_request", self.stage[who], id, **body)
        self.closed[id] = "referred"

    def _note(self, scene: str, id: str, facts: dict[str, Any]) -> None:
        self.scenes.append({"scene": scene, "request_id": id, **facts})
        self.say(f"  · {scene}：{id}")
