"""Agreements with partners 订阅方: which streams and event types another system may read, on which basis, until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.identity import AgreePartner, EndPartner, PartnerAgreed
from banyan.contracts.identity_shapes import Permitted
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.identity.domain.account import ACCOUNT, Account

EVERY = ("*",)
ALL_DATA = "*"
Known = Mapping[str, Mapping[str, frozenset[str]]]
"""Stream → event type → its fields."""


class Partner(Aggregate, frozen=True, kw_only=True):
    """One agreement; an account has one at a time, and another one after it under the same name only."""

    kind: ClassVar[str] = "partner"
    prefix: ClassVar[str] = "pt"

    state: str
    account_id: str
    name: str
    streams: Permitted
    queue: bool
    since: dt.date
    until: dt.date | None = None
    purpose: str
    legal_basis: str
    agreed_by: str
    ended_at: dt.datetime | None = None
    ended_by: str | None = None
    end_reason: str | None = None


PARTNER = Machine("partner", initial="agreed", moves=[Move("end", "agreed", "ended")], ends=("ended",))


@decides(
    AgreePartner,
    on=Partner,
    also={"account": (Account, "partner")},
    facts=("agreements_beside", "known_events"),
)
def agree_partner(
    _: None,
    command: AgreePartner,
    context: Context,
    *,
    account: Account | None,
    agreements_beside: Sequence[Partner],
    known_events: Known,
) -> tuple[Any, ...]:
    """An open account may read what is named and nothing else; to change an agreement, it is ended and made anew."""
    if account is None or not context.holds(AgreePartner.may, account.division):
        raise Refused("not_found", account_id=command.partner)
    ACCOUNT.move("change", account.state)
    _require_free(command, agreements_beside)
    since = command.since or context.today
    if command.until is not None and command.until < max(since, context.today):
        raise Refused("grant_never_holds", since=since.isoformat(), until=command.until.isoformat())
    agreed = Partner(
        id=context.new_id(Partner.prefix),
        division=command.division,
        state=PARTNER.initial,
        account_id=account.id,
        name=command.name,
        streams=_permitted(command.streams, known_events),
        queue=command.queue,
        since=since,
        until=command.until,
        purpose=command.purpose,
        legal_basis=command.legal_basis,
        agreed_by=context.actor,
    )
    return agreed, _told(agreed)


def _require_free(command: AgreePartner, beside: Sequence[Partner]) -> None:
    """One agreement an account; a name, and so its queue, stays with the account that had it first."""
    for other in beside:
        if other.account_id == command.partner and other.state == PARTNER.initial:
            raise Refused("partner_agreed", agreement_id=other.id, name=other.name)
        if other.name == command.name and other.account_id != command.partner:
            raise Refused("partner_name_taken", name=command.name)


def _permitted(streams: Permitted, known: Known) -> Permitted:
    """The streams as agreed, sorted; refuses a stream, an event type or a field that nobody publishes."""
    permitted: Permitted = {}
    for stream, types in sorted(streams.items()):
        if stream not in known:
            raise Refused("unknown_stream", stream=stream[:100])
        unknown = sorted(set(types) - known[stream].keys()) if types != EVERY else []
        if unknown:
            raise Refused("unknown_event_type", stream=stream, types=[name[:100] for name in unknown])
        if isinstance(types, dict):
            permitted[stream] = {type_: _fields(type_, types[type_], known[stream][type_]) for type_ in sorted(types)}
        else:
            permitted[stream] = tuple(sorted(set(types)))
    return permitted


def _fields(type_: str, named: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    """The fields as agreed, sorted; "*" is all of the data."""
    unknown = sorted(set(named) - known - {ALL_DATA})
    if unknown:
        raise Refused("unknown_event_field", type=type_, fields=[name[:100] for name in unknown])
    return tuple(sorted(set(named)))


@decides(EndPartner, on=Partner, key="agreement_id")
def end_partner(agreed: Partner, command: EndPartner, context: Context) -> tuple[Any, ...]:
    """Nothing more is read or sent under the agreement as soon as the services have heard of it."""
    ended = replace(
        agreed,
        state=PARTNER.move("end", agreed.state),
        ended_at=context.now,
        ended_by=context.actor,
        end_reason=command.reason,
    )
    return ended, _told(ended)


def _told(agreed: Partner) -> PartnerAgreed:
    return PartnerAgreed(
        partner=agreed.account_id,
        name=agreed.name,
        streams=agreed.streams,
        queue=agreed.queue,
        since=agreed.since,
        until=agreed.until,
        purpose=agreed.purpose,
        legal_basis=agreed.legal_basis,
        ended_at=agreed.ended_at,
    )
