"""Who may: a declared duty first, then the record's division and field; no answer depends on whether an id exists."""

from __future__ import annotations

from banyan.kernel.context import Caller, Context
from banyan.kernel.decision import Aggregate
from banyan.kernel.message import ACCOUNT, ANYONE, OWN_DUTIES, Ask
from banyan.kernel.refusal import Refused

ANONYMOUS = Caller(account="anonymous")


def require_duty(ask: type[Ask], caller: Caller | None) -> Caller:
    """The caller, where the contract's duties admit it; refuses `unauthenticated` or `not_allowed`."""
    if ANYONE in ask.may:
        return caller or ANONYMOUS
    if caller is None:
        raise Refused("unauthenticated", reason="missing")
    if ACCOUNT in ask.may or caller.duties() & set(ask.may):
        return caller
    raise Refused("not_allowed", may=list(ask.may))


def reach(context: Context, division: str, field: str | None) -> None:
    """Checks jurisdiction over a record. Where only an own-record duty (or an account, or anyone) admits the caller,
    `context.own_only` says so and the rule itself must see that the record is the caller's."""
    offices = [duty for duty in context.may if duty not in OWN_DUTIES]
    if context.holds(offices, division, field):
        return
    if {ACCOUNT, ANYONE} & set(context.may) or context.caller.duties() & OWN_DUTIES & set(context.may):
        context.own_only = True
        return
    raise Refused("not_found")


def reach_named(context: Context, division: str, field: str | None) -> None:
    """The same for a division that a command names. That a code never was a division is public, and told as such."""
    try:
        reach(context, division, field)
    except Refused:
        if division and context.divisions is not None:
            context.divisions.resolve(division, context.today)
        raise


def reach_record(context: Context, record: Aggregate) -> None:
    """The same for a record that stands; missing and outside jurisdiction are one answer."""
    reach(context, record.division, getattr(record, "field", None))
