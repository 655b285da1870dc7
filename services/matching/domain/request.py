"""A request for help 服务需求: what is kept of it, and the states that it passes through."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import msgspec

from banyan.contracts.matching_shapes import Guardian, Measure, Point, Ranked
from banyan.kernel.decision import Aggregate
from banyan.kernel.machine import Machine, Move
from banyan.kernel.personal import Private

OPEN = ("triaged", "proposed", "unmatched")
UNSERVED = ("submitted", *OPEN, "dispatched", "accepted")
HELD_BY_WORKER = ("accepted", "in_service", "completed")

REQUEST = Machine(
    "request",
    initial="submitted",
    moves=[
        Move("triage", ("submitted", *OPEN), "triaged"),
        *(Move("acknowledge", state, "triaged" if state == "submitted" else state) for state in ("submitted", *OPEN)),
        Move("propose", OPEN, "proposed"),
        Move("find_nobody", OPEN, "unmatched"),
        Move("dispatch", OPEN, "dispatched"),
        Move("assign", OPEN, "accepted"),
        Move("accept", "dispatched", "accepted"),
        Move("pass_on", "dispatched", "proposed"),
        Move("release", ("accepted", "in_service"), "triaged"),
        Move("start", "accepted", "in_service"),
        Move("complete", "in_service", "completed"),
        Move("follow_up", "completed", "followed_up"),
        Move("serve_again", "completed", "triaged"),
        Move("close", (*UNSERVED, "in_service", "completed"), "closed"),
    ],
    ends=("followed_up", "closed"),
)
"""Declined, expired and recalled offers pass the request on to the next candidate; nobody left is `unmatched`."""


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a request. Add fields with defaults; never reuse a name."""


class Holder(Part, frozen=True, kw_only=True):
    """Who answers for a request now: exactly one of a duty at a division, an account, a worker."""

    duty: str | None = None
    division: str | None = None
    account: str | None = None
    worker_id: str | None = None

    def __post_init__(self) -> None:
        duty = self.duty is not None and self.division is not None
        if duty + bool(self.account) + bool(self.worker_id) != 1:
            raise ValueError("a holder is one duty at a division, one account, or one worker")

    def address(self) -> str:
        """Where notices for the holder go: an account, a worker's id, or duty@division for all who hold it."""
        return self.account or self.worker_id or f"{self.duty}@{self.division}"


class Offer(Part, frozen=True, kw_only=True):
    """One worker asked once. The clock (`expires_at`) starts at delivery; `channel` counts the ways tried."""

    worker_id: str
    notify: str  # the account or person that notices go to
    made_at: datetime
    made_by: str
    rank: int
    score: int
    candidate: Ranked | None = None
    table: str = ""
    policy: str = ""
    override_reason: str | None = None
    channel: int = 0
    delivered_at: datetime | None = None
    receipt: str | None = None
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    answer: str | None = None  # accepted | declined | expired | recalled | closed
    reason: str | None = None


class Page(Part, frozen=True, kw_only=True):
    """One call to the duty persons of a tier; an account, or duty@division for all who hold it."""

    tier: str
    accounts: tuple[str, ...]
    at: datetime


class Crisis(Part, frozen=True, kw_only=True):
    """The clock of a crisis: who was called, how far it has climbed, who took it."""

    since: datetime
    tier: str
    rung: int = 0
    pages: tuple[Page, ...] = ()
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


class Report(Part, frozen=True, kw_only=True):
    """A mandatory report 强制报告: to whom, until when, and its receipt."""

    recipient: str
    due_at: datetime
    receipt: str | None = None
    filed_at: datetime | None = None
    filed_by: str | None = None


class Glass(Part, frozen=True, kw_only=True):
    """One break-glass 紧急调阅: who may look, why, from when and until when."""

    account: str
    reason: str
    at: datetime
    until: datetime


class Need(Aggregate, frozen=True, kw_only=True):
    """What matching looks at in a request: what is needed, where, since when, and who was asked. A province's are read by
    this alone, without what is sealed and without the lists of candidates."""

    kind: ClassVar[str] = "request"
    prefix: ClassVar[str] = "q"
    subject: ClassVar[str | None] = "subject_id"

    state: str
    subject_id: str
    taken_at: datetime
    point: Point | None = None  # coarse

    client_group: str
    field: str
    urgency: int
    languages: tuple[str, ...] = ()
    languages_wished: tuple[str, ...] = ()
    sex_wanted: str | None = None
    level_wanted: str | None = None
    slots: tuple[int, ...] = ()
    earlier_workers: tuple[str, ...] = ()
    excluded_workers: tuple[str, ...] = ()

    confidentiality: str
    offers: tuple[Offer, ...] = ()
    round: int = 0  # offers before this match; a second match after a first begins anew

    @property
    def protected(self) -> bool:
        """Whether only named receivers may know of it."""
        return self.confidentiality == "protected"

    @property
    def offer(self) -> Offer | None:
        """The offer that waits for its answer."""
        return self.offers[-1] if self.offers and self.offers[-1].answer is None else None

    @property
    def asked(self) -> tuple[str, ...]:
        """The workers who were asked already for this match, once each."""
        return tuple(dict.fromkeys(offer.worker_id for offer in self.offers[self.round :]))


class Request(Need, frozen=True, kw_only=True):
    """A call for help, from the first word to the last. `subject_id` is whose key seals it and never changes."""

    client_id: str | None
    household_id: str | None = None
    taken_by: str
    asked_by: str
    purpose: str
    legal_basis: str
    notice_version: str
    consent: str | None = None
    client_name: Private | None = None
    contacts: Private | None = None  # JSON of the contacts as given
    story: Private | None = None
    triage_note: Private | None = None
    follow_up_note: Private | None = None
    address: Private | None = None
    spot: Private | None = None  # JSON of the point as given
    functions: tuple[str, ...]

    protected_kind: str | None = None
    receivers: tuple[str, ...] = ()
    minor: bool = False
    guardian: Guardian | None = None
    report: Report | None = None
    glass: tuple[Glass, ...] = ()

    holder: Holder | None
    due_at: datetime | None
    due: str = "climb"  # climb | deliver | expire | crisis
    crisis: Crisis | None = None

    direct: bool = False
    candidates: tuple[Ranked, ...] = ()
    table: str = ""
    policy: str = ""
    overrides: int = 0
    worker_id: str | None = None
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    followed_up_at: datetime | None = None
    outcome_at_start: tuple[Measure, ...] = ()
    outcome_at_close: tuple[Measure, ...] = ()
    minutes_served: int = 0

    ending: str | None = None
    ended_by: str | None = None
    ended_reason: str | None = None
    ended_at: datetime | None = None
    referred_to: str | None = None
    referral_receipt: str | None = None
    same_as: str | None = None
    erased_on: date | None = None


def asked_worker(request: Request, _: object) -> str | None:
    """The worker whose answer is waited for, to be locked with the request."""
    return request.offer.worker_id if request.offer else None


def serving_worker(request: Request, _: object) -> str | None:
    """The worker who took the case."""
    return request.worker_id


def bound_worker(request: Request, _: object) -> str | None:
    """The worker who carries the request in the load: asked, or serving."""
    return asked_worker(request, _) or request.worker_id


def candidate_workers(request: Request, _: object) -> tuple[str, ...]:
    """The proposed workers who were not asked yet, best first."""
    return tuple(c.worker_id for c in request.candidates if c.worker_id not in request.asked)
