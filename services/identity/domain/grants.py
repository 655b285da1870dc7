"""Grants 授权: a duty × a division × fields × days, given by somebody else and for a reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

from msgspec.structs import replace

from banyan.contracts.identity import DutyGranted, GrantDuty, GrantRevoked, RevokeGrant
from banyan.kernel.context import EVERY_FIELD, Context
from banyan.kernel.decision import decides
from banyan.kernel.refusal import Refused
from services.identity.domain.account import ACCOUNT, Account, Given, revoked
from services.identity.domain.duties import duty, require_apart


@decides(GrantDuty, on=Account, key="account_id", facts=("duties_of_person",))
def grant_duty(
    account: Account, command: GrantDuty, context: Context, *, duties_of_person: tuple[str, ...]
) -> tuple[Any, ...]:
    """A security administrator entrusts somebody else with a duty, within the area that the administrator has."""
    state = ACCOUNT.move("change", account.state)
    given = _given(command, context)
    if context.actor == account.id:
        raise Refused("own_grant", duty=given.duty)
    if not context.holds(GrantDuty.may, given.division):
        raise Refused("not_found", division=given.division)
    require_apart(given.duty, (*account.held(context.today), *duties_of_person))
    if any(_same(g, given) and g.stands(given.since or context.today) for g in account.grants):
        raise Refused("grant_exists", duty=given.duty, division=given.division)
    event = DutyGranted(
        account_id=account.id,
        grant_id=given.id,
        duty=given.duty,
        division=given.division,
        fields=given.fields,
        since=given.since,
        until=given.until,
    )
    return replace(account, state=state, grants=(*account.grants, given)), event


def _given(command: GrantDuty, context: Context) -> Given:
    """The grant as ordered; refuses an unknown duty or division, no field at all, and days that never come."""
    since = command.since or context.today
    if command.until is not None and command.until < max(since, context.today):
        raise Refused("grant_never_holds", since=since.isoformat(), until=command.until.isoformat())
    if not command.fields:
        raise Refused("bad_input", field="fields", detail="at least one")
    if context.divisions is not None and not context.divisions.exists(command.division, context.today):
        raise Refused("unknown_division", division=command.division, on=context.today.isoformat())
    return Given(
        id=context.new_id("g"),
        duty=duty(command.duty).code,
        division=command.division,
        fields=(EVERY_FIELD,) if EVERY_FIELD in command.fields else tuple(sorted(set(command.fields))),
        since=command.since,
        until=command.until,
        given_by=context.actor,
        reason=command.reason,
    )


def _same(one: Given, other: Given) -> bool:
    return (one.duty, one.division, one.fields) == (other.duty, other.division, other.fields)


@decides(RevokeGrant, on=Account, key="account_id", facts=("real_now",))
def revoke_grant(account: Account, command: RevokeGrant, context: Context, *, real_now: dt.datetime) -> tuple[Any, ...]:
    """The grant ends now; tokens that carry it are refused by every service within a minute."""
    found = next((g for g in account.grants if g.id == command.grant_id), None)
    if found is None or not context.holds(RevokeGrant.may, found.division):
        raise Refused("not_found", grant_id=command.grant_id)
    if found.revoked_at is not None:
        raise Refused("grant_revoked", grant_id=found.id, at=found.revoked_at.isoformat())
    ended = revoked(found, context.actor, command.reason, real_now)
    grants = tuple(ended if g.id == found.id else g for g in account.grants)
    event = GrantRevoked(account_id=account.id, grant_id=found.id, at=real_now)
    return replace(account, grants=grants), event
