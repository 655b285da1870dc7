"""A made-up province in events: four streams from a seed, in the order of one clock. True of nobody."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from banyan.contracts import matching, registry
from banyan.kernel.context import SHANGHAI
from banyan.kernel.message import Event
from banyan.wire.canonical import canonical
from banyan.wire.cloudevents import event_members, spliced

VILLAGES = (
    "350102001001", "350102001002", "350102002001", "350104001001", "350128100001", "350128100002", "350203001001",
    "350203002001", "350205001001",
)  # fmt: skip
PLACES = (*VILLAGES, "350102001000", "350203000000", "350402001001")
FIELDS, GROUPS = ("welfare", "family", "health"), ("older", "child", "patient")
STATES = ("draft", "submitted", "approved", "active", "active", "lapsed", "suspended", "retired")
ENDINGS = ("withdrawn", "referred", "moved", "advice_only")
BEGIN = dt.datetime(2024, 1, 1, 1, tzinfo=dt.UTC)


@dataclass
class Said:
    """One event at its place."""

    stream: str
    position: int
    effective_on: dt.date
    at: dt.datetime
    event: Event


@dataclass
class World:
    """Writes events; the log of each stream begins at 1."""

    seed: int
    said: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = BEGIN
        self.people: dict[str, dict[str, Any]] = {}
        self.open: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, dict[str, Any]] = {}
        self.workers: dict[str, int] = {}

    @property
    def today(self) -> dt.date:
        """The day in Shanghai."""
        return self.now.astimezone(SHANGHAI).date()

    def say(self, event: Event, effective_on: dt.date | None = None) -> None:
        """Puts an event at the end of its stream."""
        its = self.said[event.stream]
        its.append(Said(event.stream, len(its) + 1, effective_on or self.today, self.now, event))

    def go(self, events: int) -> World:
        """Lets so many things happen."""
        acts = (self.person, self.person, self.assignment, self.request, self.request, self.request, self.worker)
        for _ in range(events):
            self.now += dt.timedelta(seconds=self.random.randrange(1, 200_000), milliseconds=self.random.randrange(999))
            self.random.choice(acts)()
        return self

    def person(self) -> None:
        """A new record, or something new of an old one, from an earlier day now and then."""
        known, pick = self.people, self.random
        if not known or pick.random() < 0.4:
            id = f"p-{len(known):04}"
            known[id] = {"level": "none", "talent_basis": "none", "community_worker": pick.random() < 0.3}
            self._tell(id, registry.PersonDrafted, state="draft", division=pick.choice(PLACES))
            return
        id = pick.choice(sorted(known))
        kind = pick.choice(
            (registry.PersonApproved, registry.PersonCorrected, registry.PersonMerged, registry.PersonUnmerged,
             registry.DuplicateSuspected, registry.DuplicateDismissed, registry.CorrectionAsked, registry.PersonErased,
             registry.PersonReminded, registry.PersonApproved, registry.PersonApproved)
        )  # fmt: skip
        back = self.today - dt.timedelta(days=pick.randrange(200)) if pick.random() < 0.3 else None
        more: dict[str, Any] = {
            registry.PersonCorrected: {"changed": ("division",), "division_before": known[id]["division"]},
            registry.PersonMerged: {"absorbed_id": id, "survivor_id": "p-0000"},
            registry.PersonUnmerged: {"absorbed_id": id, "survivor_id": "p-0000"},
            registry.DuplicateSuspected: {"other_ids": ("p-0000",)},
            registry.DuplicateDismissed: {"other_id": "p-0000"},
            registry.CorrectionAsked: {"wrong": ("name",)},
            registry.PersonReminded: {"days_left": 30},
        }.get(kind, {})
        changes: dict[str, Any] = {}
        if kind is registry.PersonApproved:
            until = self.today + dt.timedelta(days=pick.randrange(-20, 500))
            changes = {
                "state": pick.choice(STATES),
                "level": pick.choice(("none", "assistant", "intermediate", "senior")),
                "talent_basis": pick.choice(("none", "certificate", "degree")),
                "registration_until": pick.choice((None, until)),
            }
        elif kind is registry.PersonErased:
            changes = {"state": "erased"}
        elif kind is registry.PersonCorrected:
            changes = {"division": pick.choice(PLACES)}
        self._tell(id, kind, effective_on=back, more=more, **changes)

    def _tell(
        self, id: str, kind: Any, *, effective_on: dt.date | None = None, more: Any = None, **changes: Any
    ) -> None:
        self.people[id].update(changes)
        event = kind(person_id=id, effective_on=effective_on, **self.people[id], **(more or {}))
        self.say(event, effective_on)

    def assignment(self) -> None:
        """Opened, proposed, changed or ended."""
        pick = self.random
        if not self.people:
            return
        if self.open and pick.random() < 0.5:
            id = pick.choice(sorted(self.open))
            terms = self.open[id]
            if pick.random() < 0.5:
                ended = {name: terms[name] for name in ("assignment_id", "person_id", "division")}
                self.say(registry.AssignmentEnded(reason="end", **ended))
                return
            kind: Any = pick.choice((registry.AssignmentChanged, registry.AssignmentOpened))
        else:
            id, kind = f"a-{len(self.open):04}", pick.choice((registry.AssignmentOpened, registry.AssignmentProposed))
            self.open[id] = {"assignment_id": id, "person_id": pick.choice(sorted(self.people)), "host_kind": "station"}
        village = pick.choice(VILLAGES)
        self.open[id] |= {
            "host_id": "s-1", "division": village, "area": pick.choice((village, f"{village[:9]}000", "350102000000")),
            "longitude_udeg": 119_000_000, "latitude_udeg": 26_000_000, "fields": {"welfare": 1}, "sex": "1",
            "level": "assistant", "registered": True, "weekly_capacity": pick.randrange(1, 6),
            "since": self.today + dt.timedelta(days=pick.randrange(-30, 30)),
            "until": pick.choice((None, self.today + dt.timedelta(days=pick.randrange(0, 300)))),
        }  # fmt: skip
        self.say(kind(**self.open[id]))

    def request(self) -> None:
        """Taken, or one step further."""
        pick = self.random
        going = [id for id, request in self.requests.items() if not request["ended"]]
        if not going or pick.random() < 0.3:
            id = f"q-{len(self.requests):04}"
            terms = {"division": pick.choice(VILLAGES), "field": pick.choice(FIELDS), "urgency": pick.randrange(4)}
            terms |= {"client_group": pick.choice(GROUPS), "protected": False, "request_id": id}
            self.requests[id] = {"terms": terms, "ended": False, "taken": self.now}
            self.say(self._of(id, matching.RequestTaken, client_id=None, asked_by="x", functions=("care",)))
            return
        self._step(pick.choice(going))

    def _of(self, id: str, kind: Any, **more: Any) -> Event:
        event: Event = kind(at=self.now, **self.requests[id]["terms"], **more)
        return event

    def _step(self, id: str) -> None:
        pick, worker = self.random, f"a-{self.random.randrange(6):04}"
        terms = self.requests[id]["terms"]
        match pick.randrange(12):
            case 0:
                protected = terms["protected"] or pick.random() < 0.5
                here = terms["division"] if terms["protected"] or pick.random() < 0.5 else pick.choice(VILLAGES)
                place = f"{here[:6]}000000" if protected else here
                terms |= {"urgency": pick.randrange(4), "protected": protected, "division": place}
                more = {"confidentiality": "ordinary", "functions": (), "direct": False}
                self.say(self._of(id, matching.RequestTriaged, **more))
            case 1:
                self.say(self._of(id, matching.OfferMade, worker_id=worker, rank=1, score=10))
            case 2:
                self.say(self._of(id, matching.OfferDeclined, worker_id=worker, direct=False))
            case 3 | 4:
                wait = int((self.now - self.requests[id]["taken"]).total_seconds()) // 60
                self.say(self._of(id, matching.OfferAccepted, worker_id=worker, wait_min=wait, declined_before=0))
            case 5:
                self.say(self._of(id, matching.WorkerReleased, worker_id=worker))
            case 6 | 7:
                self.say(self._of(id, matching.ServiceStarted, worker_id=worker))
            case 8:
                self.say(self._of(id, matching.ServiceCompleted, worker_id=worker, minutes_served=30, change=1))
            case 9:
                well = pick.random() < 0.7
                self.requests[id]["ended"] = well
                self.say(self._of(id, matching.RequestFollowedUp, well=well))
            case 10:
                self.requests[id]["ended"] = True
                more = {"ending": pick.choice(ENDINGS), "served": False, "worker_id": None}
                self.say(self._of(id, matching.RequestClosed, **more))
            case _:
                self.say(self._of(id, matching.CrisisClimbed, from_tier="x", to_tier="y", rung=1))
                self.say(self._of(id, matching.CrisisAcknowledged, tier="y", wait_s=pick.randrange(900)))

    def worker(self) -> None:
        """Kept, loaded, suspended or ended."""
        pick, id = self.random, f"a-{self.random.randrange(12):04}"
        of = {"worker_id": id, "division": pick.choice(VILLAGES), "at": self.now}
        if id not in self.workers or pick.random() < 0.2:
            self.workers[id] = 1
            self.say(matching.WorkerKept(fields=("welfare",), weekly_capacity=pick.randrange(1, 5), **of))
        elif pick.random() < 0.8:
            load = {"offered": pick.randrange(3), "accepted": pick.randrange(4)}
            self.say(matching.WorkerLoadChanged(**load, **of))
        else:
            kind: Any = pick.choice((matching.WorkerSuspended, matching.WorkerEnded))
            self.say(kind(offered=(), accepted=(), **of))

    def log(self, stream: str) -> list[bytes]:
        """The stream as its service would serve it."""
        return [_item(said) for said in self.said[stream]]

    def all(self) -> Iterator[Said]:
        """Every event."""
        for its in self.said.values():
            yield from its


def _item(said: Said) -> bytes:
    instant = said.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    type_name = type(said.event).type_name()
    event = event_members(
        id=f"{said.stream}-{said.position}", service=said.stream.split(".", maxsplit=1)[0], type=type_name,
        subject="x", dataschema=f"/v1/schemas/{type_name}", stream=said.stream, position=said.position, version=1,
        effective_on=said.effective_on.isoformat(), recorded_at=instant, known_at=instant,
        data=msgspec.to_builtins(said.event),
    )  # fmt: skip
    return spliced(canonical(event), b"0" * 16, b"0" * 32, b"0" * 32)
