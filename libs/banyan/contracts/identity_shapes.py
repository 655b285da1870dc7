"""What identity's commands carry and its queries answer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from banyan.kernel.divisions import Division
from banyan.kernel.personal import personal
from banyan.kernel.policy import Figure

Secret = Annotated[str, msgspec.Meta(min_length=43, max_length=128), personal("secret", "登录凭据", 0, sensitive=True)]
"""Base64url of 32 random bytes or more, made by the caller; only its hash is kept."""
Password = Annotated[
    str, msgspec.Meta(min_length=10, max_length=128), personal("secret", "登录凭据", 0, sensitive=True)
]
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=255), personal("subject", "识别登录账户", 1095)]
Division12 = Annotated[str, msgspec.Meta(pattern=r"^\d{12}$")]
Document = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""The deed that orders a change, such as 闽政文〔2021〕1号."""
Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=500)]
PartnerName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
"""Names the partner's vhost and queue at the broker."""
Fields = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=100)]
Permitted = Annotated[dict[str, tuple[str, ...] | dict[str, Fields]], msgspec.Meta(min_length=1, max_length=100)]
"""Stream → the event types that may be read, or ("*",) for all of them; or event type → its fields that may be read.

("*",) as fields, and types given without fields, mean all of an event's data; `personal` is a field that is named or not given."""
AccountKind = Literal["person", "service"]
ROWS = 500
"""Rows of one event of reference data, at the most."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A division that ends with a change, and those that follow it."""

    code: Division12
    successors: tuple[Division12, ...] = ()


class Workday(msgspec.Struct, frozen=True, kw_only=True):
    """A day against the rule of the week: a holiday on a weekday (False), a make-up day on a weekend (True)."""

    on: dt.date
    workday: bool
    festival: str = ""


class Competence(msgspec.Struct, frozen=True, kw_only=True):
    """From a day on, the authority (code and name are data) that is competent for a duty in a division and below."""

    duty: str
    division: Division12
    authority: str
    name: str
    since: dt.date


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A duty that the token does not carry, because the session lacks the assurance that it needs."""

    duty: str
    acr: str


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token and when it ends, real time."""

    token: str
    expires_at: dt.datetime
    account_id: str
    withheld: tuple[Withheld, ...] = ()


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """A JWK set (RFC 7517) of the public keys in use."""

    keys: tuple[dict[str, str], ...]


class GrantSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as its account's officers see it."""

    grant_id: str
    duty: str
    duty_name: str
    division: str
    fields: tuple[str, ...]
    since: dt.date | None
    until: dt.date | None
    state: str
    given_by: str
    reason: str


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An account without its secrets."""

    account_id: str
    version: int
    division: str
    issuer: str
    state: str
    kind: AccountKind
    person_id: str | None
    authority: str | None
    second_factor: bool
    grants: tuple[GrantSeen, ...]


class AccountsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A page of accounts."""

    items: tuple[AccountSeen, ...]
    next: str | None = None


class DivisionsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Divisions as they stood on a day, in code order."""

    items: tuple[Division, ...]
    next: str | None = None


class FiguresSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Figures with every dated row, and the version that names the whole set."""

    items: tuple[Figure, ...]
    version: str


class CompetenceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Who is competent on a day, and every dated row of the duty on the division's line of authority."""

    competent: Competence | None
    rows: tuple[Competence, ...]


class DutySeen(msgspec.Struct, frozen=True, kw_only=True):
    """A duty, the assurance that it needs, and the duties that never share an account with it."""

    code: str
    name: str
    acr: str
    excludes: tuple[str, ...]


class DutiesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """All duties."""

    items: tuple[DutySeen, ...]


class PartnerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement with a partner as its officers see it."""

    agreement_id: str
    state: str
    partner: str
    name: str
    streams: Permitted
    queue: bool
    since: dt.date
    until: dt.date | None
    purpose: str
    legal_basis: str
    agreed_by: str
    ended_at: dt.datetime | None


class PartnersSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A page of agreements."""

    items: tuple[PartnerSeen, ...]
    next: str | None = None
