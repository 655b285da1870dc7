"""Shapes of insight's answers. Every answer says `as_of`: the position of each stream that it is the snapshot of."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer; all numbers are whole."""


class Answer(Shape, frozen=True, kw_only=True):
    """About an area at the end of a day in Shanghai. Asked again with its `as_of`, the answer is the same for ever; only a
    case that became protected since counts for its county and above, no longer for town and village."""

    division: str
    on: date
    as_of: dict[str, int]
    notes: tuple[str, ...] = ()


class DenominatorsView(Shape, frozen=True, kw_only=True):
    """Countable divisions: villages of both kinds; communities under 街道; all communities."""

    villages: int
    subdistrict_communities: int
    all_communities: int


class Line(Shape, frozen=True, kw_only=True):
    """The figures of one division directly below; of the area itself where a record names no lower one."""

    division: str
    name: str
    figures: dict[str, int]


class PeopleView(Answer, frozen=True, kw_only=True):
    """The populations, never mixed, and the levels among the certified."""

    figures: dict[str, int]
    levels: dict[str, int]
    denominators: DenominatorsView
    villages_served: int
    below: tuple[Line, ...] = ()


class PersonLine(Shape, frozen=True, kw_only=True):
    """One person behind a figure: an id and codes."""

    person_id: str
    division: str
    state: str
    level: str
    talent_basis: str
    community_worker: bool
    registration_until: date | None = None


class PeopleList(Answer, frozen=True, kw_only=True):
    """The persons behind one figure; `total` is that figure."""

    population: str
    total: int
    items: tuple[PersonLine, ...]
    next: str | None = None


class Waits(Shape, frozen=True, kw_only=True):
    """Whole minutes from taken to first accepted, of `count` requests; half and nine tenths waited no longer."""

    count: int
    p50: int | None = None
    p90: int | None = None
    longest: int | None = None


class RequestGroup(Shape, frozen=True, kw_only=True):
    """The requests of one urgency, field or client group (or all of them)."""

    code: str
    name: str
    figures: dict[str, int]
    waits: Waits
    served_per_thousand: int | None = None


class RequestsView(Answer, frozen=True, kw_only=True):
    """The requests taken from `since` to `on`, as they stood at the end of `on`. Waits for a crisis are seconds."""

    since: date | None
    all: RequestGroup
    by_urgency: tuple[RequestGroup, ...]
    by_field: tuple[RequestGroup, ...]
    by_client_group: tuple[RequestGroup, ...]
    endings: dict[str, int]
    crises_acknowledged_s: Waits
    below: tuple[Line, ...] = ()


class RequestRow(Shape, frozen=True, kw_only=True):
    """One request behind a figure: an id, codes and instants."""

    request_id: str
    division: str
    field: str
    client_group: str
    urgency: int
    state: str
    taken_at: datetime
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    ending: str | None = None
    wait_min: int | None = None
    declines: int = 0
    escalations: int = 0


class RequestList(Answer, frozen=True, kw_only=True):
    """The requests behind one figure: `total` is that figure, of which `not_shown` are protected and not listed."""

    figure: str
    total: int
    not_shown: int
    items: tuple[RequestRow, ...]
    next: str | None = None


class LoadsView(Answer, frozen=True, kw_only=True):
    """The load over workers who are on call: places a week, offers out, cases accepted; `by_load` load → workers."""

    workers: int
    suspended: int
    places: int
    offered: int
    accepted: int
    idle: int
    full: int
    p50: int | None
    p90: int | None
    highest: int | None
    by_load: dict[str, int]


class WorkerRow(Shape, frozen=True, kw_only=True):
    """One worker: places a week, offers out, cases accepted."""

    worker_id: str
    division: str
    weekly_capacity: int
    offered: int
    accepted: int


class WorkerList(Answer, frozen=True, kw_only=True):
    """The workers on call, by id; `total` is the figure."""

    total: int
    items: tuple[WorkerRow, ...]
    next: str | None = None


class Measured(Shape, frozen=True, kw_only=True):
    """A count of something; per thousand where it is divided by something. `met` is None before it can be said."""

    count: int
    of: int
    per_thousand: int | None
    needed: int
    met: bool


class TargetView(Shape, frozen=True, kw_only=True):
    """One target under one named choice of denominator.

    `frozen` is the value on the due day as it was known when that day ended; `due_as_known_now` takes later corrections
    in; `state` is not_due, met or missed, by `frozen`; `since` when the present value meets or fails the goal."""

    name: str
    title: str
    plan: str
    goal: int
    measure: str
    choice: str
    choice_name: str
    due_on: date
    source: str
    state: str
    now: Measured
    since: date | None
    frozen: Measured | None = None
    due_as_known_now: Measured | None = None


class TargetsView(Answer, frozen=True, kw_only=True):
    """All targets of all plans."""

    items: tuple[TargetView, ...]


class Point(Shape, frozen=True, kw_only=True):
    """The value at the end of a day."""

    on: date
    value: int


class TrendView(Answer, frozen=True, kw_only=True):
    """One measure at the end of each month, and on the last day; divisions as they stand on `on`."""

    measure: str
    points: tuple[Point, ...]


class BulletinRow(Shape, frozen=True, kw_only=True):
    """One division of the bulletin; None is a small cell, or covers one."""

    division: str
    name: str
    figures: dict[str, int | None]


class BulletinView(Answer, frozen=True, kw_only=True):
    """What may be published. `threshold`: parts below it are hidden, and as many others as would give them away."""

    threshold: int
    total: dict[str, int | None]
    rows: tuple[BulletinRow, ...]


class Flaw(Shape, frozen=True, kw_only=True):
    """One record to look at."""

    kind: str
    title: str
    id: str
    division: str


class FlawList(Answer, frozen=True, kw_only=True):
    """The data-quality list: how many of each kind, and the records of one kind or of all but the protected."""

    counts: dict[str, int]
    not_shown: int
    items: tuple[Flaw, ...]
    next: str | None = None


class AlertRow(Shape, frozen=True, kw_only=True):
    """Something that somebody should look at, with its figures."""

    kind: str
    title: str
    about: str
    facts: dict[str, int | str]


class AlertsView(Answer, frozen=True, kw_only=True):
    """Targets that slip or were missed; streams whose events had no effect in time."""

    items: tuple[AlertRow, ...]


class ExportView(Answer, frozen=True, kw_only=True):
    """One export. `state` is waiting, made, failed (`failure` is the refusal's code) or expired; `done` rows were read.

    `not_shown` protected cases are counted in the figure and stand in no row; `size` is in bytes, `digest` SHA-256."""

    id: str
    state: str
    table: str
    format: str
    name: str
    media_type: str
    done: int
    rows: int
    not_shown: int
    size: int
    digest: str
    failure: str = ""
    expires_at: datetime | None = None
