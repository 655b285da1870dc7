"""Session 会话: one log-in, kept alive by a secret that changes with every use; a failed attempt is a session refused.

All its times are real time. The answer to an attempt says `open` or `refused` and never why.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from banyan.contracts.identity import (
    ClientCredentials,
    DutyGranted,
    LogIn,
    LogInOidc,
    LogOut,
    Refresh,
    SessionRevoked,
)
from banyan.kernel.context import EVERY_FIELD, Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.message import OWN_DUTIES
from banyan.kernel.policy import PROVINCE_WIDE
from banyan.kernel.refusal import Refused
from services.identity.domain.account import Account, Given, login, opened
from services.identity.domain.duties import duty
from services.identity.domain.secrets import code_step, kept_secret, password_fits, secret_fits

ONE_FACTOR, TWO_FACTORS = "1", "2"


class Session(Aggregate, frozen=True, kw_only=True):
    """An attempt to log in and what came of it; `spent` are the hashes of secrets that were used up."""

    kind: ClassVar[str] = "session"
    prefix: ClassVar[str] = "s"

    state: str
    means: str  # password | oidc | client
    account_id: str | None
    secret: str
    at: dt.datetime
    ends_at: dt.datetime
    acr: str = ONE_FACTOR
    spent: tuple[str, ...] = ()
    reason: str | None = None
    step: int | None = None  # of the one-time code, which serves once

    def good(self, account: Account | None, now: dt.datetime) -> bool:
        """Whether the session may still have tokens."""
        if account is None or account.state != "open" or self.state != "open" or now >= self.ends_at:
            return False
        return account.void_before is None or self.at > account.void_before


SESSION = Machine(
    "session",
    initial="asked",
    moves=[
        Move("open", "asked", "open"),
        Move("refuse", "asked", "refused"),
        Move("refresh", "open", "open"),
        Move("end", "open", "ended"),
        Move("revoke", "open", "revoked"),
    ],
    ends=("refused", "ended", "revoked"),
)


class Presented(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows of an attempt: the account under lock, recent failures, real time, and the opened seed."""

    account: Account | None
    now: dt.datetime
    failures: int = 0
    totp: str | None = None
    last_step: int | None = None
    claims: Mapping[str, Any] | None = None
    fault: str | None = None


@decides(LogIn, on=Session, facts=("presented",))
def log_in(_: None, command: LogIn, context: Context, *, presented: Presented) -> tuple[Any, ...]:
    """By password, and the one-time code where one is enrolled; too many failures shut the door for a while."""
    fits = password_fits(command.password, presented.account.password if presented.account else None)
    step = _step(command.code, presented)
    fault = _barred(presented, context)
    if fault is None and not fits:
        fault = "wrong_secret"
    if fault is None and command.code is not None and step is None:
        fault = "wrong_code"
    acr = TWO_FACTORS if step is not None else ONE_FACTOR
    return (_session("password", command.secret, presented, context, fault=fault, acr=acr, step=step),)


def _step(code: str | None, presented: Presented) -> int | None:
    """The step of the code, where it is right and was not used before."""
    if code is None or presented.totp is None:
        return None
    step = code_step(code, presented.totp, int(presented.now.timestamp()))
    used = presented.last_step is not None and step is not None and step <= presented.last_step
    return None if used else step


def _barred(presented: Presented, context: Context) -> str | None:
    """Why nobody may log in to the account now, whatever is presented."""
    if presented.account is None:
        return "unknown"
    if presented.account.state != "open":
        return "not_open"
    return "locked_out" if presented.failures >= context.figure("log_in_failures") else None


@decides(ClientCredentials, on=Session, facts=("presented",))
def client_credentials(
    _: None, command: ClientCredentials, context: Context, *, presented: Presented
) -> tuple[Any, ...]:
    """Another system logs in by its secret."""
    fits = secret_fits(command.client_secret, presented.account.client_secret if presented.account else None)
    fault = _barred(presented, context) or (None if fits else "wrong_secret")
    return (_session("client", command.secret, presented, context, fault=fault),)


@decides(LogInOidc, on=Session, facts=("presented",))
def log_in_oidc(_: None, command: LogInOidc, context: Context, *, presented: Presented) -> tuple[Any, ...]:
    """By the province's identity provider, which has proved the subject; the first time opens a resident's account."""
    claims = presented.claims
    if claims is None:
        return (_session("oidc", command.secret, presented, context, fault=presented.fault or "bad_token"),)
    if claims.get("nonce") != command.nonce:
        return (_session("oidc", command.secret, presented, context, fault="nonce"),)
    if presented.account is not None:
        fault = _barred(presented, context)
        return (_session("oidc", command.secret, presented, context, fault=fault, acr=_acr(claims, context)),)
    account, told = _first_account(claims, context)
    known = replace(presented, account=account)
    session = _session("oidc", command.secret, known, context, fault=None, acr=_acr(claims, context))
    return {"": session, "account": account}, *told


def _acr(claims: Mapping[str, Any], context: Context) -> str:
    """Two factors where the provider says so, by the values that were agreed upon with it."""
    strong = set(context.figure("oidc_second_factor"))
    said = {str(claims.get("acr", "")), *map(str, claims.get("amr") or ())}
    return TWO_FACTORS if strong & said else ONE_FACTOR


def _first_account(claims: Mapping[str, Any], context: Context) -> tuple[Account, tuple[Any, ...]]:
    """An account with the duty that everybody has on first log-in, and its events."""
    code, division = duty(context.figure("oidc_first_duty")).code, context.figure("oidc_first_division")
    grant = Given(
        id=context.new_id("g"),
        duty=code,
        division=division,
        fields=(EVERY_FIELD,),
        since=None,
        until=None,
        given_by=context.actor,
        reason="首次登录",
    )
    account = Account(
        id=context.new_id(Account.prefix),
        division=division,
        state="open",
        of="person",
        logins=(login(str(claims["iss"]), str(claims["sub"])),),
        grants=(grant,),
    )
    granted = DutyGranted(account_id=account.id, grant_id=grant.id, duty=code, division=division, fields=grant.fields)
    return account, (opened(account), granted)


def _session(
    means: str,
    secret: str,
    presented: Presented,
    context: Context,
    *,
    fault: str | None,
    acr: str = ONE_FACTOR,
    step: int | None = None,
) -> Session:
    account = presented.account
    return Session(
        id=context.new_id(Session.prefix),
        division=account.division if account else PROVINCE_WIDE,
        state=SESSION.move("refuse" if fault else "open", SESSION.initial),
        means=means,
        account_id=account.id if account else None,
        secret=kept_secret(secret),
        at=presented.now,
        ends_at=presented.now + dt.timedelta(hours=_hours(account, context)),
        acr=acr,
        reason=fault,
        step=step if fault is None else None,
    )


def _hours(account: Account | None, context: Context) -> int:
    """How long a log-in lasts: longer for those who see nothing but their own records."""
    own = account is not None and set(account.held(context.today)) <= OWN_DUTIES
    hours: int = context.figure("session_hours_own" if own else "session_hours_office")
    return hours


@decides(Refresh, on=Session, key="session_id", facts=("presented",))
def refresh(session: Session, command: Refresh, context: Context, *, presented: Presented) -> tuple[Any, ...]:
    """Changes the secret; one that was used before means that two hold it, and ends the session for both."""
    if kept_secret(command.secret) in session.spent and session.state == "open":
        return replace(session, state=SESSION.move("revoke", session.state)), _revoked(session, presented, reused=True)
    if not secret_fits(command.secret, session.secret):
        raise Refused("not_found")
    if not session.good(presented.account, presented.now):
        raise Refused("session_ended", session_id=session.id)
    fresh = kept_secret(command.next_secret)
    if fresh == session.secret or fresh in session.spent:
        raise Refused("bad_input", field="next_secret", detail="used before")
    state = SESSION.move("refresh", session.state)
    return (replace(session, state=state, secret=fresh, spent=(*session.spent, session.secret)),)


@decides(LogOut, on=Session, key="session_id", facts=("presented",))
def log_out(session: Session, command: LogOut, context: Context, *, presented: Presented) -> tuple[Any, ...]:
    """Ends the session and its tokens."""
    if not secret_fits(command.secret, session.secret):
        raise Refused("not_found")
    return replace(session, state=SESSION.move("end", session.state)), _revoked(session, presented)


def _revoked(session: Session, presented: Presented, *, reused: bool = False) -> SessionRevoked:
    at = presented.now
    return SessionRevoked(account_id=session.account_id or "", session_id=session.id, at=at, reused=reused)
