"""What insight answers, counted again by reading every event from the beginning: slow, plain, with no table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from banyan.contracts import matching, registry
from banyan.kernel.context import SHANGHAI
from banyan.kernel.divisions import Tree, level, prefix
from banyan.kernel.policy import Policy
from tests.insight_world import Said, World


@dataclass
class Slowly:
    """The world at the end of a day, as known at the positions of a snapshot (None: all that was said)."""

    world: World
    tree: Tree
    policy: Policy
    on: dt.date
    as_of: Mapping[str, int] | None

    def __post_init__(self) -> None:
        self.end = dt.datetime.combine(self.on + dt.timedelta(days=1), dt.time(), SHANGHAI)
        self.counted = self.policy.at("counted_states", self.on)

    def _said(self, stream: str) -> list[Said]:
        until = len(self.world.said[stream]) if self.as_of is None else self.as_of[stream]
        return self.world.said[stream][:until]

    def _inside(self, area: str, code: str) -> bool:
        return self.tree.within(area, code, self.on)

    def people(self, area: str) -> dict[str, set[str]]:
        """The ids of every population."""
        latest: dict[str, tuple[Any, bool]] = {}
        merged: dict[str, bool] = {}
        for said in self._said("registry.person"):
            event: Any = said.event
            if isinstance(event, registry.PersonMerged):
                merged[event.person_id] = True
            if isinstance(event, registry.PersonUnmerged):
                merged[event.person_id] = False
            if said.effective_on <= self.on:
                latest[event.person_id] = (event, merged.get(event.person_id, False))
        apart = {id: event for id, (event, absorbed) in latest.items() if not absorbed}
        counted = {id: e for id, e in apart.items() if e.state in self.counted and self._inside(area, e.division)}
        active = {id: e for id, e in apart.items() if e.state == "active" and self._inside(area, e.division)}
        return {
            "professional": {id for id, e in counted.items() if e.talent_basis != "none"},
            "certified": {id for id, e in counted.items() if e.level != "none"},
            "registered": {
                id for id, e in active.items() if e.registration_until is None or e.registration_until >= self.on
            },
            "community_worker": {id for id, e in counted.items() if e.community_worker},
            "certified_community_worker": {id for id, e in counted.items() if e.community_worker and e.level != "none"},
            "assigned": {a.person_id for a in self._serving() if self._inside(area, a.division)},
        }

    def levels(self, area: str) -> dict[str, int]:
        """Certified persons by level."""
        certified = self.people(area)["certified"]
        latest = {
            s.event.person_id: s.event  # type: ignore[attr-defined]
            for s in self._said("registry.person")
            if s.effective_on <= self.on
        }
        found: list[str] = [latest[id].level for id in certified]
        return {name: found.count(name) for name in ("assistant", "intermediate", "senior")}

    def _serving(self) -> list[Any]:
        """Assignments that are open on the day."""
        held: dict[str, tuple[Any, str]] = {}
        for said in self._said("registry.assignment"):
            event: Any = said.event
            if said.at >= self.end:
                break
            terms, state = held.get(event.assignment_id, (None, ""))
            if isinstance(event, registry.AssignmentEnded):
                state = "ended"
            elif isinstance(event, registry.AssignmentProposed):
                terms, state = event, "proposed"
            else:
                changed = isinstance(event, registry.AssignmentChanged) and terms is not None
                terms, state = event, state if changed else "open"
            held[event.assignment_id] = (terms, state)
        return [
            terms
            for terms, state in held.values()
            if state == "open" and terms.since <= self.on and (terms.until is None or terms.until >= self.on)
        ]

    def villages_served(self, area: str) -> int:
        """Countable villages in a place of an open assignment."""
        levels = self.policy.at("served_area_levels", self.on)
        heads = {prefix(a.area) for a in self._serving() if level(a.area) in levels}
        return sum(
            row.countable and row.code.startswith(tuple(heads)) and self._inside(area, row.code)
            for row in self.tree.standing(self.on, "village")
        )

    def requests(self, area: str, since: dt.date | None) -> list[Any]:
        """Requests taken since a day, as they stand when the day ends."""
        found: dict[str, Any] = {}
        for said in self._said("matching.request"):
            event: Any = said.event
            if event.at >= self.end:
                break
            _tell(found.setdefault(event.request_id, _Request(event.request_id, event.at)), event)
        for id in found.keys() & self._protected_in_the_end():
            found[id].division = f"{found[id].division[:6]}000000"
        begin = None if since is None else dt.datetime.combine(since, dt.time(), SHANGHAI)
        return [r for r in found.values() if self._inside(area, r.division) and (begin is None or r.taken_at >= begin)]

    def _protected_in_the_end(self) -> set[str]:
        """Requests that any event says are protected, also one after the last of this view."""
        return {s.event.request_id for s in self.world.said["matching.request"] if s.event.protected}  # type: ignore[attr-defined]

    def ever_protected(self) -> set[str]:
        """Requests that are protected by the last that was ever said."""
        last = {s.event.request_id: s.event.protected for s in self.world.said["matching.request"]}  # type: ignore[attr-defined]
        return {id for id, protected in last.items() if protected}

    def request_figures(self, its: Sequence[Any]) -> dict[str, int]:
        """Every figure of some requests."""
        return {
            "taken": len(its),
            "open": sum(r.state != "ended" for r in its),
            "waiting": sum(r.state == "waiting" for r in its),
            "accepted": sum(r.wait_min is not None for r in its),
            "served": sum(r.started for r in its),
            "ended": sum(r.state == "ended" for r in its),
            "declined": sum(r.declines > 0 for r in its),
            "escalated": sum(r.escalations > 0 for r in its),
            **{n: sum(getattr(r, n) for r in its) for n in ("offers", "declines")},
            "expired": 0,
            "overrides": 0,
            **{n: sum(getattr(r, n) for r in its) for n in ("escalations", "minutes_served")},
        }

    def endings(self, its: Sequence[Any]) -> dict[str, int]:
        """How many ended in which way."""
        found = [r.ending for r in its if r.state == "ended"]
        return {ending: found.count(ending) for ending in found}

    def waits(self, its: Sequence[Any]) -> tuple[int, int | None, int | None, int | None]:
        """Count, p50, p90, longest: the least wait that so many do not exceed."""
        found = sorted(r.wait_min for r in its if r.wait_min is not None)
        if not found:
            return 0, None, None, None
        p50, p90 = (found[-(-len(found) * tenths // 10) - 1] for tenths in (5, 9))
        return len(found), p50, p90, found[-1]

    def workers(self, area: str) -> list[Any]:
        """Workers on call with their load."""
        found: dict[str, _Worker] = {}
        for said in self._said("matching.worker"):
            event: Any = said.event
            if event.at >= self.end:
                break
            one = found.setdefault(event.worker_id, _Worker())
            one.division = event.division
            match event:
                case matching.WorkerKept():
                    one.on_call, one.weekly_capacity = True, event.weekly_capacity
                case matching.WorkerLoadChanged():
                    one.offered, one.accepted = event.offered, event.accepted
                case _:
                    one.on_call = False
        return [one for one in found.values() if one.on_call and self._inside(area, one.division)]


@dataclass
class _Worker:
    division: str = ""
    on_call: bool = True
    weekly_capacity: int = 0
    offered: int = 0
    accepted: int = 0


@dataclass
class _Request:
    request_id: str
    taken_at: dt.datetime
    division: str = ""
    field: str = ""
    client_group: str = ""
    urgency: int = 0
    state: str = "waiting"
    wait_min: int | None = None
    started: bool = False
    ending: str | None = None
    offers: int = 0
    declines: int = 0
    escalations: int = 0
    minutes_served: int = 0


def _tell(it: _Request, event: Any) -> None:
    """What one event changes."""
    it.division, it.field, it.client_group, it.urgency = (
        event.division, event.field, event.client_group, event.urgency,
    )  # fmt: skip
    match type(event).__name__:
        case "OfferMade":
            it.offers += 1
        case "OfferDeclined":
            it.declines += 1
        case "CrisisClimbed":
            it.escalations += 1
        case "OfferAccepted":
            it.state, it.wait_min = "accepted", event.wait_min if it.wait_min is None else it.wait_min
        case "WorkerReleased":
            it.state = "waiting"
        case "ServiceStarted":
            it.state, it.started = "serving", True
        case "ServiceCompleted":
            it.state, it.minutes_served = "completed", it.minutes_served + event.minutes_served
        case "RequestFollowedUp":
            it.state, it.ending = ("ended", "completed") if event.well else ("waiting", None)
        case "RequestClosed":
            it.state, it.ending = "ended", event.ending
