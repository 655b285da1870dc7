"""What registry answers to questions. Personal values are masked unless the caller may see them in the clear."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


class StepView(Answer, frozen=True, kw_only=True):
    """One move of the record: which, to what state, by whom, when, why."""

    move: str
    state: str
    by: str
    at: datetime
    reason: str = ""


class CertificateView(Answer, frozen=True, kw_only=True):
    """A level certificate."""

    level: str
    number: str
    passed_on: date


class PeriodView(Answer, frozen=True, kw_only=True):
    """A registration period, both days included, and the hours of learning credited to it."""

    from_on: date
    until_on: date
    hours: int
    hours_needed: int


class AliasView(Answer, frozen=True, kw_only=True):
    """A record that was absorbed into this one."""

    absorbed_id: str
    since: datetime


class PersonView(Answer, frozen=True, kw_only=True):
    """One person as of a day, as known at an instant; `absorbed` lists the records that are read as one with it."""

    id: str
    version: int
    division: str
    state: str
    name: str
    sex: str | None = None
    birth_date: str | None = None
    document_kind: str = ""
    document: str | None = None
    document_expires_on: date | None = None
    document_warnings: tuple[str, ...] = ()
    phone: str | None = None
    home_division: str | None = None
    education: str | None = None
    employer_kind: str = "none"
    post: str = ""
    community_worker: bool = False
    fields: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    weekly_capacity: int = 0
    talent_basis: str = "none"
    level: str = "none"
    certificates: tuple[CertificateView, ...] = ()
    period: PeriodView | None = None
    suspected: tuple[str, ...] = ()
    absorbed: tuple[AliasView, ...] = ()
    merged_into: str | None = None
    steps: tuple[StepView, ...] = ()
    on: date | None = None
    known_at: datetime | None = None


class PersonLine(Answer, frozen=True, kw_only=True):
    """A person in a list."""

    id: str
    version: int
    division: str
    state: str
    name: str
    phone: str | None = None
    level: str = "none"
    talent_basis: str = "none"
    registration_until: date | None = None


class People(Answer, frozen=True, kw_only=True):
    """A page of persons, sorted by the pinyin of their names."""

    items: tuple[PersonLine, ...]
    next: str | None = None


class Duplicate(Answer, frozen=True, kw_only=True):
    """Two records side by side, for a person to decide."""

    newer: PersonView
    older: PersonView


class Duplicates(Answer, frozen=True, kw_only=True):
    """A page of suspicions."""

    items: tuple[Duplicate, ...]
    next: str | None = None


class AssignmentLine(Answer, frozen=True, kw_only=True):
    """A service assignment in a list."""

    id: str
    version: int
    person_id: str
    host_kind: str
    host_id: str
    division: str
    area: str
    state: str
    fields: dict[str, int]
    weekly_capacity: int
    since: date
    until: date | None = None


class Assignments(Answer, frozen=True, kw_only=True):
    """A page of service assignments."""

    items: tuple[AssignmentLine, ...]
    next: str | None = None


class OwnCopy(Answer, frozen=True, kw_only=True):
    """Everything that registry keeps about the caller, in the clear."""

    person: PersonView
    political_status: str | None = None
    legal_basis: str = ""
    notice_version: str = ""
    purposes: dict[str, str] = {}
    retention_days: dict[str, int] = {}
    assignments: tuple[AssignmentLine, ...] = ()


class RefusedRow(Answer, frozen=True, kw_only=True):
    """A row of a file that was not taken in: its number in the file, why, and what to do."""

    row: int
    code: str
    facts: str
    title: str
    remedy: str


class ImportView(Answer, frozen=True, kw_only=True):
    """How far an import is, and a page of its refused rows."""

    id: str
    state: str
    rows: int
    done: int
    refused: int
    failure: str = ""
    items: tuple[RefusedRow, ...] = ()
    next: str | None = None
