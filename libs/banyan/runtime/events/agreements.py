"""Partners' agreements as every service keeps its copy of them: which streams, event types and fields an account may read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from banyan.contracts.identity import PartnerAgreed
from banyan.kernel.refusal import Refused

EVERY = ("*",)
ONE = "select body::text from reference where kind = 'partner' and key = %s"
ALL = "select body::text from reference where kind = 'partner' order by key"


def of_account(connection: Any, account: str, today: dt.date) -> PartnerAgreed:
    """The agreement that holds for an account today; refuses `not_found` where there is none."""
    row = connection.execute(ONE, (account,)).fetchone()
    agreed = msgspec.json.decode(row[0], type=PartnerAgreed) if row else None
    if agreed is None or not holds(agreed, today):
        raise Refused("not_found")
    return agreed


def with_queue(connection: Any, today: dt.date) -> list[PartnerAgreed]:
    """The agreements that hold today and promise a queue."""
    every = (msgspec.json.decode(body, type=PartnerAgreed) for (body,) in connection.execute(ALL).fetchall())
    return [agreed for agreed in every if agreed.queue and holds(agreed, today)]


def holds(agreed: PartnerAgreed, today: dt.date) -> bool:
    """Whether the agreement gives anything today."""
    begun = agreed.since <= today and (agreed.until is None or today <= agreed.until)
    return begun and agreed.ended_at is None


class Permit(NamedTuple):
    """What may be read of a stream: event type → fields; all of the data of every type where `types` is None."""

    types: Mapping[str, tuple[str, ...]] | None

    def fields(self, type_: str) -> tuple[str, ...] | None:
        """The fields of an event type that may be read, "*" for all of its data; None: nothing but place and digest."""
        return EVERY if self.types is None else self.types.get(type_)


def permit(agreed: PartnerAgreed | None, stream: str) -> Permit | None:
    """What a partner may read of a stream, None for everything; refuses `not_found` where the stream is not agreed."""
    if agreed is None:
        return None
    if stream not in agreed.streams:
        raise Refused("not_found", stream=stream)
    types = agreed.streams[stream]
    if isinstance(types, dict):
        return Permit(types)
    return Permit(None if types == EVERY else dict.fromkeys(types, EVERY))
