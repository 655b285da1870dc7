"""What a decision may know beside the record and the command: who acts, when, where, and under which figures."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from banyan.kernel.divisions import Tree, may_see
from banyan.kernel.policy import Policy
from banyan.kernel.workdays import Calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVERY_FIELD = "*"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A duty held in a division and all below it, within fields of service, between two days (both included)."""

    duty: str
    division: str
    fields: tuple[str, ...] = (EVERY_FIELD,)
    since: dt.date | None = None
    until: dt.date | None = None
    id: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls: the account, the person it is linked to, and its grants in force."""

    account: str
    person: str | None = None
    grants: tuple[Grant, ...] = ()
    acr: str = "1"

    def duties(self) -> frozenset[str]:
        """The names of the duties held anywhere."""
        return frozenset(g.duty for g in self.grants)


class Context:
    """Handed to every decision and view. Pure: `new_id` draws from a seed that the frame gives, not from a clock."""

    def __init__(
        self,
        *,
        caller: Caller,
        now: dt.datetime,
        policy: Policy,
        divisions: Tree | None = None,
        workdays: Calendar | None = None,
        seed: bytes = b"",
        key: str = "",
        may: Iterable[str] = (),
        own_only: bool = False,
    ) -> None:
        self.caller, self.now, self.policy = caller, now, policy
        self.divisions, self.workdays = divisions, workdays
        self.key, self.may = key, tuple(may)
        self.own_only = own_only  # no office reaches the record: the rule must refuse `not_found` where it is not the caller's own
        self._seed, self._drawn = seed, 0

    @property
    def actor(self) -> str:
        """The account that acts."""
        return self.caller.account

    @cached_property
    def today(self) -> dt.date:
        """The day in Shanghai."""
        return self.now.astimezone(SHANGHAI).date()

    def figure(self, name: str, *, on: dt.date | None = None, division: str | None = None) -> Any:
        """A figure of policy data, today unless a day is given."""
        return self.policy.at(name, on or self.today, division)

    def new_id(self, prefix: str) -> str:
        """A new id such as p-018f3c…: time-ordered by `now`, then from the seed; never the same twice in one decision."""
        self._drawn += 1
        moment = int(self.now.timestamp() * 1000).to_bytes(6, "big").hex()
        tail = hashlib.sha256(self._seed + self._drawn.to_bytes(4, "big")).hexdigest()[:20]
        return f"{prefix}-{moment}{tail}"

    def holds(self, duties: Iterable[str], division: str, field: str | None = None) -> bool:
        """True where the caller holds one of the duties over the division, and the field where one is asked for."""
        wanted = frozenset(duties)
        return any(g.duty in wanted and self.reaches(g, division, field) for g in self.caller.grants)

    def reaches(self, grant: Grant, division: str, field: str | None = None) -> bool:
        """Jurisdiction: containment (or `reports_to`) on the day, and the grant's fields."""
        if (grant.since and self.today < grant.since) or (grant.until and self.today > grant.until):
            return False
        fields = None if EVERY_FIELD in grant.fields else grant.fields
        return may_see(grant.division, fields, division, field, self.divisions, self.today)
