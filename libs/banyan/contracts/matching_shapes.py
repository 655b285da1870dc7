"""Shapes that matching's messages share: what a person gives with a request, and what the questions answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from banyan.kernel.personal import personal


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A part of a message."""


class Point(Shape, frozen=True, kw_only=True):
    """A place in integer micro-degrees as received; `crs` is GCJ-02, CGCS2000 or WGS-84, accuracy in metres."""

    lon_udeg: int
    lat_udeg: int
    crs: str = "GCJ-02"
    accuracy_m: int = 0
    source: str = ""


class Contact(Shape, frozen=True, kw_only=True):
    """A way to reach the client: relation and a phone in E.164, or no phone and a note where to ask."""

    relation: str
    name: Annotated[str | None, personal("name", "联系服务对象", 1095)] = None
    phone: Annotated[str | None, personal("phone", "联系服务对象", 1095)] = None
    note: Annotated[str | None, personal("note", "联系服务对象", 1095)] = None


class Guardian(Shape, frozen=True, kw_only=True):
    """A minor's guardian: consent by document digest, or that the guardian is the suspect and is not asked."""

    relation: str
    consent: str | None = None
    suspect: bool = False


class Measure(Shape, frozen=True, kw_only=True):
    """One outcome scale 评估量表 in whole points; higher is better."""

    scale: str
    points: int


class Turn(Shape, frozen=True, kw_only=True):
    """One duty person's days (both included); `rank` 1 is paged first."""

    account: str
    since: date
    until: date
    rank: int = 1


class Supply(Shape, frozen=True, kw_only=True):
    """What a service assignment offers: codes and whole numbers. `fields` gives the proficiency, 1 to 3, in each."""

    person_id: str
    area: str
    fields: dict[str, int]
    lon_udeg: int
    lat_udeg: int
    weekly_capacity: int
    since: date
    until: date | None = None
    host_kind: str = ""
    host_id: str = ""
    account: str | None = None
    languages: tuple[str, ...] = ()
    sex: str = "0"
    level: str = "none"
    registered: bool = False
    registration_until: date | None = None
    slots: tuple[int, ...] = ()
    cross_area: bool = False


class Term(Shape, frozen=True, kw_only=True):
    """One summand of a score in points, with the figures that it was computed from."""

    name: str
    points: int
    title: str = ""
    facts: dict[str, Any] = {}


class Ranked(Shape, frozen=True, kw_only=True):
    """A candidate: rank from 1, score, and every term."""

    worker_id: str
    rank: int
    score: int
    terms: tuple[Term, ...]


class Ranking(Shape, frozen=True, kw_only=True):
    """The best workers now; `as_of` is the number of the last worker change that the index had seen."""

    items: tuple[Ranked, ...]
    as_of: int
    table: str
    policy: str


class Broken(Shape, frozen=True, kw_only=True):
    """A hard rule that does not hold, with its facts."""

    rule: str
    title: str = ""
    facts: dict[str, Any] = {}


class Reasons(Shape, frozen=True, kw_only=True):
    """Why not: the broken rules; or the score, its rank among all who fit, and who stood last on the list above."""

    worker_id: str
    fits: bool
    as_of: int
    table: str
    broken: tuple[Broken, ...] = ()
    rank: int | None = None
    score: int | None = None
    terms: tuple[Term, ...] = ()
    ahead: tuple[Ranked, ...] = ()


class HolderView(Shape, frozen=True, kw_only=True):
    """Who answers for a case now: a duty at a division, an account, or a worker."""

    duty: str | None = None
    division: str | None = None
    account: str | None = None
    worker_id: str | None = None


class OfferView(Shape, frozen=True, kw_only=True):
    """One offer with the terms as they were given."""

    worker_id: str
    made_at: datetime
    delivered_at: datetime | None
    expires_at: datetime | None
    answered_at: datetime | None
    answer: str | None
    reason: str | None
    rank: int
    score: int
    terms: tuple[Term, ...]
    table: str
    policy: str


class RequestView(Shape, frozen=True, kw_only=True):
    """A request as this reader may see it: what is None was not given, or is not shown (`hidden` names those)."""

    id: str
    version: int
    state: str
    division: str
    urgency: int
    field: str
    client_group: str
    functions: tuple[str, ...]
    confidentiality: str
    taken_at: datetime
    due_at: datetime | None
    holder: HolderView | None
    ending: str | None = None
    ended_reason: str | None = None
    client_id: str | None = None
    client_name: str | None = None
    contacts: tuple[Contact, ...] = ()
    story: str | None = None
    address: str | None = None
    point: Point | None = None
    worker_id: str | None = None
    call_first: tuple[str, ...] = ()
    candidates: tuple[Ranked, ...] = ()
    offers: tuple[OfferView, ...] = ()
    overrides: int = 0
    hidden: tuple[str, ...] = ()


class RequestLine(Shape, frozen=True, kw_only=True):
    """One line of a list: no name, no address."""

    id: str
    state: str
    division: str
    urgency: int
    field: str
    client_group: str
    taken_at: datetime
    due_at: datetime | None
    holder: HolderView | None
    ending: str | None = None


class RequestPage(Shape, frozen=True, kw_only=True):
    """A page of requests; `not_shown` counts protected cases within the caller's area that the caller may not see.

    Protected cases that the caller may not know of count for whole counties only: to who is of a town or asks for one
    or a village they are not there, here as in every list, board and count."""

    items: tuple[RequestLine, ...]
    next: str | None = None
    not_shown: int = 0


class OfferCard(Shape, frozen=True, kw_only=True):
    """What a worker sees before accepting: the need and a 1 km cell (protected: the county), never who."""

    request_id: str
    area: str
    cell: str | None
    field: str
    client_group: str
    functions: tuple[str, ...]
    urgency: int
    languages: tuple[str, ...]
    sex_wanted: str | None
    slots: tuple[int, ...]
    distance_km: int | None
    expires_at: datetime | None


class Offers(Shape, frozen=True, kw_only=True):
    """The offers that wait for my answer."""

    items: tuple[OfferCard, ...]


class Work(Shape, frozen=True, kw_only=True):
    """The cases that I accepted."""

    items: tuple[RequestView, ...]


class PageView(Shape, frozen=True, kw_only=True):
    """One call to duty persons."""

    tier: str
    accounts: tuple[str, ...]
    at: datetime


class Crisis(Shape, frozen=True, kw_only=True):
    """One crisis on the board."""

    request_id: str
    division: str
    taken_at: datetime
    tier: str
    rung: int
    due_at: datetime | None
    pages: tuple[PageView, ...]
    acknowledged_by: str | None
    acknowledged_at: datetime | None


class Crises(Shape, frozen=True, kw_only=True):
    """Unacknowledged first, longest waiting first; the numbers to call come before everything."""

    call_first: tuple[str, ...]
    items: tuple[Crisis, ...]
    not_shown: int = 0


class BoardItem(Shape, frozen=True, kw_only=True):
    """One thing that needs a person now. `kind`: crisis (nobody acknowledged), held (the duty officer holds it, nobody was
    found), mine (the caller holds it by name), report_open (a mandatory report without receipt), start_overdue (accepted,
    not begun in time), offer_ending (an offer soon ends).

    `age_min` whole minutes since it was taken; `due_at` when the next tier is called, the offer ends, the report is due
    or service should have begun, `due_in_min` whole minutes until then, below zero when it is over. Of a crisis: the
    tier that was called, how often it climbed, and the tier that is called next."""

    kind: str
    request_id: str
    division: str
    state: str
    urgency: int
    field: str
    taken_at: datetime
    age_min: int
    due_at: datetime
    due_in_min: int
    holder: HolderView | None = None
    worker_id: str | None = None
    tier: str | None = None
    rung: int | None = None
    next_tier: str | None = None


class TierOnDuty(Shape, frozen=True, kw_only=True):
    """Who is on duty today at one tier, in the order they are called; from `changes_on` it is `then`."""

    division: str
    accounts: tuple[str, ...]
    changes_on: date | None = None
    then: tuple[str, ...] = ()


class Board(Shape, frozen=True, kw_only=True):
    """The duty board of the caller's area: numbers to call first, how many of each kind (protected ones too, of which
    `not_shown` are not listed), a page of them, most urgent first, and who is on duty from the nearest tier upward."""

    at: datetime
    call_first: tuple[str, ...]
    counts: dict[str, int]
    not_shown: int
    items: tuple[BoardItem, ...]
    on_duty: tuple[TierOnDuty, ...]
    next: str | None = None


class EndingCounts(Shape, frozen=True, kw_only=True):
    """How many requests ended in which way; `open` have none yet, `overrides` were dispatched by hand."""

    endings: dict[str, int]
    open: int
    overrides: int
    without_holder: int


class Home(Shape, frozen=True, kw_only=True):
    """A household as one of its members may see it; the other members are only counted."""

    id: str
    division: str
    head: bool
    members: int
    address: Annotated[str | None, personal("address", "本人查阅", 1095)] = None
    point: Point | None = None


class Copy(Shape, frozen=True, kw_only=True):
    """Everything matching keeps about the caller."""

    requests: tuple[RequestView, ...]
    households: tuple[str, ...]
    worker: Supply | None = None
    homes: tuple[Home, ...] = ()
