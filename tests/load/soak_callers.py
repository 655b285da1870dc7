"""The soak's callers: they carry calls for help and registrations through over HTTP, and keep each order's key until it
is answered. What was answered positively is written down, to be compared with what stands in the end."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from banyan.contracts import matching, registry
from banyan.demo.api import PASSING, Actor, Problem
from banyan.demo.crowd import REASONS
from banyan.demo.stage import Stage
from banyan.demo.world import request
from banyan.kernel.message import Event

EVENTS: dict[str, type[Event]] = {
    "take_request": matching.RequestTaken,
    "triage_request": matching.RequestTriaged,
    "confirm_dispatch": matching.OfferMade,
    "accept_offer": matching.OfferAccepted,
    "decline_offer": matching.OfferDeclined,
    "start_service": matching.ServiceStarted,
    "complete_service": matching.ServiceCompleted,
    "follow_up": matching.RequestFollowedUp,
    "withdraw_request": matching.RequestClosed,
    "refer_request": matching.RequestClosed,
    "register_person": registry.PersonDrafted,
    "approve_person": registry.PersonApproved,
}
"""The event that each order leaves behind exactly once; nobody but the callers causes these here."""
RULES = (404, 409, 422)
AGAIN_S, LOOK_S, PROPOSED_S = 0.3, 0.5, 60.0
PERSON = (
    "name", "document_kind", "document_number", "sex", "phone", "home_division", "education", "political_status",
    "employer_kind", "post", "fields", "languages", "weekly_capacity",
)  # fmt: skip


@dataclass
class Ledger:
    """What the callers were told. `events` counts positive answers by event type and record."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # a rule's no, by code
    strange: list[str] = field(default_factory=list)  # answers that no rule and no fault explains
    orders: int = 0
    reads: int = 0
    again: int = 0  # how often an order was repeated under its key
    slowest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, method: str, record: str, seconds: float) -> None:
        """One order has its positive answer."""
        with self._lock:
            self.orders += 1
            self.events[EVENTS[method].type_name(), record] += 1
            self.slowest_s = max(self.slowest_s, seconds)

    def said_no(self, method: str, problem: Problem) -> None:
        """One order was refused for good."""
        with self._lock:
            self.refused[problem.code] += 1
            if problem.document["status"] not in RULES:
                self.strange.append(f"{method}: {problem}")

    def repeated(self) -> None:
        """An outcome was not known, or nobody was there: the same key follows."""
        with self._lock:
            self.again += 1

    def records(self, event: type[Event]) -> set[str]:
        """The records that an event was answered for."""
        return {record for (name, record) in self.events if name == event.type_name()}


class People:
    """Generated people for registrations, one after the other, whoever asks."""

    def __init__(self, found: Iterator[dict[str, Any]]) -> None:
        self._found, self._lock = found, threading.Lock()

    def body(self) -> dict[str, Any]:
        """The next one as the body of a registration."""
        with self._lock:
            person = next(self._found)
        body = {name: person[name] for name in PERSON} | {"birth_date": str(person["birth_date"])}
        if person["certificate"]:
            body["certificate"] = person["certificate"] | {"passed_on": str(person["certificate"]["passed_on"])}
        basis = "certificate" if person["certificate"] else "trained"
        evidence = "浸泡测试（生成）"
        return body | {
            "division": person["home_division"], "talent_basis": basis, "talent_evidence": evidence, "submit": True,
        }  # fmt: skip


class Caller(threading.Thread):
    """One client: cases, registrations and reads, one after the other, until `stop` is set."""

    def __init__(self, stage: Stage, ledger: Ledger, people: People, seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True, name=f"caller {seed}")
        self._stage, self._ledger, self._people, self._stopped = stage, ledger, people, stop
        self._draw = random.Random(seed)

    def run(self) -> None:
        """Goes on until told to stop; the case or person in hand is ended first."""
        while not self._stopped.is_set():
            turn = self._draw.choices((self._case, self._person, self._read), (6, 2, 2))[0]
            try:
                turn()
            except Exception as error:  # the soak names it in the end
                self._ledger.strange.append(f"{self.name}: {error!r}")

    def order(self, actor: Actor, service: str, method: str, **body: Any) -> str | None:
        """An order under one key until it is answered: the record's id, None where a rule said no."""
        key, begun = f"soak-{uuid.uuid4()}", time.monotonic()
        answer = self._answered(lambda: self._stage.api.command(actor, service, method, key=key, **body), method)
        if answer is None:
            return None
        record = str(body.get("request_id") or body.get("person_id") or answer["id"])
        self._ledger.answered(method, record, time.monotonic() - begun)
        return record

    def _answered(self, call: Any, method: str) -> Any:
        while True:
            try:
                return call()
            except httpx.TransportError:
                self._ledger.repeated()
            except Problem as problem:
                if problem.document["status"] not in PASSING:
                    self._ledger.said_no(method, problem)
                    return None
                self._ledger.repeated()
            time.sleep(AGAIN_S)

    def _ask(self, actor: Actor, service: str, method: str, **body: Any) -> dict[str, Any]:
        self._ledger.reads += 1
        return self._answered(lambda: self._stage.api.ask(actor, service, method, **body), method) or {}

    def _case(self) -> None:
        """接案 → 预估 → 派单 → 接单 or 退单 → 服务 → 结案 → 回访, or withdrawn, or referred on."""
        stage, draw = self._stage, self._draw
        body = request(stage.world, draw)
        id = self.order(stage["desk"], "matching", "take_request", **body)
        if id is None:
            return
        if draw.random() < 0.1:
            self._on("withdraw_request", stage["desk"], id, reason="已自行解决")
            return
        same = {name: body[name] for name in ("urgency", "field", "functions")}
        if not self._on("triage_request", stage["lead"], id, **same):
            return
        worker_id = self._proposed(id)
        if worker_id and self._on("confirm_dispatch", stage["lead"], id, worker_id=worker_id):
            self._serve(id, stage.workers[worker_id])
        else:
            self._on(
                "refer_request", stage["duty1"], id, to="县救助管理站", receipt=f"R-{id[-6:]}", reason="暂无合适社工"
            )

    def _on(self, method: str, actor: Actor, id: str, **body: Any) -> bool:
        return self.order(actor, "matching", method, request_id=id, **body) is not None

    def _proposed(self, id: str) -> str | None:
        """One of the first three candidates, once there are any."""
        until = time.monotonic() + PROPOSED_S
        while time.monotonic() < until:
            view = self._ask(self._stage["lead"], "matching", "request_detail", request_id=id)
            if view.get("state") != "triaged":
                found = [candidate["worker_id"] for candidate in view.get("candidates", ())]
                return self._draw.choice(found[:3]) if found else None
            time.sleep(LOOK_S)
        return None

    def _serve(self, id: str, worker: Actor) -> None:
        if self._draw.random() < 0.2:
            self._on("decline_offer", worker, id, reason=self._draw.choice(REASONS))
            return
        start, end = ([{"scale": "生活功能", "points": points}] for points in (40, 60))
        done = self._on("accept_offer", worker, id) and self._on("start_service", worker, id, outcome=start)
        if (
            done
            and self._on("complete_service", worker, id, outcome=end, minutes_served=60)
            and self._draw.random() < 0.8
        ):
            self._on("follow_up", self._stage["lead"], id, well=True)

    def _person(self) -> None:
        """A registration, and its approval by the county."""
        registrar = self._stage["registrar"]
        id = self.order(registrar, "registry", "register_person", **self._people.body())
        if id is not None:
            self.order(registrar, "registry", "approve_person", person_id=id)

    def _read(self) -> None:
        stage = self._stage
        area = stage.world.area
        self._ask(stage["analyst"], "insight", "request_figures", division=area)
        self._ask(stage["duty1"], "matching", "duty_board", division=area)
        self._ask(stage["registrar"], "registry", "find_people", limit=20)
