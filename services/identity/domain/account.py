"""Account 账户: one log-in identity (issuer, subject) and its means to prove itself; grants stand in `grants`."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from banyan.contracts.identity import (
    AccountChanged,
    AccountLinked,
    AccountOpened,
    CloseAccount,
    EnrolSecondFactor,
    GrantRevoked,
    LinkPerson,
    LinkSubject,
    LockAccount,
    OpenAccount,
    RevokeTokens,
    SetClientSecret,
    SetPassword,
    TokensRevoked,
    UnlockAccount,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.identity.domain.duties import require_apart
from services.identity.domain.secrets import kept_password, kept_secret

LOCAL = "local"
"""The issuer of accounts that log in here, by password or client secret."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One subject of one issuer by which the account is known."""

    issuer: str
    subject: Private


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A grant: a duty in a division and below, within fields, between two days (both included), until revoked."""

    id: str
    duty: str
    division: str
    fields: tuple[str, ...]
    since: dt.date | None
    until: dt.date | None
    given_by: str
    reason: str
    revoked_at: dt.datetime | None = None
    revoked_by: str | None = None
    revoked_reason: str | None = None

    def stands(self, on: dt.date) -> bool:
        """Whether it is not revoked and its last day has not passed."""
        return self.revoked_at is None and (self.until is None or on <= self.until)


class Account(Aggregate, frozen=True, kw_only=True):
    """An account; `void_before` is the second of real time at or before which its tokens and sessions are void."""

    kind: ClassVar[str] = "account"
    prefix: ClassVar[str] = "a"
    subject: ClassVar[str | None] = "id"

    state: str
    of: str  # person | service
    logins: tuple[Login, ...]
    person_id: str | None = None
    authority: str | None = None
    password: str | None = None
    client_secret: str | None = None
    totp: Private | None = None
    grants: tuple[Given, ...] = ()
    void_before: dt.datetime | None = None
    unlocked_at: dt.datetime | None = None

    def held(self, on: dt.date) -> tuple[str, ...]:
        """The duties of the grants that stand."""
        return tuple(g.duty for g in self.grants if g.stands(on))


ACCOUNT = Machine(
    "account",
    initial="open",
    moves=[
        Move("change", "open", "open"),
        Move("lock", "open", "locked"),
        Move("unlock", ("open", "locked"), "open"),
        Move("close", ("open", "locked"), "closed"),
    ],
    ends=("closed",),
)


def login(issuer: str, subject: str) -> Login:
    """A log-in identity, found by the blind index of issuer and subject together."""
    return Login(issuer=issuer, subject=Private(subject, kind="subject", search=(login_word(issuer, subject),)))


def login_word(issuer: str, subject: str) -> str:
    """The word under which a log-in identity is indexed."""
    return f"{issuer}\n{subject}"


@decides(OpenAccount, on=Account, facts=("login_holder", "duties_of_person"))
def open_account(
    _: None, command: OpenAccount, context: Context, *, login_holder: str | None, duties_of_person: tuple[str, ...]
) -> tuple[Any, ...]:
    """An officer opens an account for a person or for another system; it holds no duty yet."""
    if login_holder is not None:
        raise Refused("account_exists")
    account = Account(
        id=context.new_id(Account.prefix),
        division=command.division,
        state=ACCOUNT.initial,
        of=command.kind,
        logins=(login(command.issuer, command.subject),),
        person_id=command.person_id,
        authority=command.authority,
    )
    return account, opened(account)


def opened(account: Account) -> AccountOpened:
    """The event of a new account."""
    kind: Any = account.of
    return AccountOpened(account_id=account.id, division=account.division, person_id=account.person_id, kind=kind)


@decides(LinkSubject, on=Account, key="account_id", facts=("login_holder",))
def link_subject(
    account: Account, command: LinkSubject, context: Context, *, login_holder: str | None
) -> tuple[Any, ...]:
    """One more way to the same account, such as the subject of a mini-program."""
    if login_holder is not None:
        raise Refused("account_exists")
    state = ACCOUNT.move("change", account.state)
    logins = (*account.logins, login(command.issuer, command.subject))
    return replace(account, state=state, logins=logins), AccountLinked(account_id=account.id)


@decides(LinkPerson, on=Account, key="account_id", facts=("duties_of_person",))
def link_person(
    account: Account, command: LinkPerson, context: Context, *, duties_of_person: tuple[str, ...]
) -> tuple[Any, ...]:
    """The account is that of a registered person; what the person's other accounts hold must not exclude its duties."""
    if account.person_id is not None and account.person_id != command.person_id:
        raise Refused("person_linked", account_id=account.id)
    for duty in account.held(context.today):
        require_apart(duty, duties_of_person)
    state = ACCOUNT.move("change", account.state)
    changed = replace(account, state=state, person_id=command.person_id)
    return changed, AccountLinked(account_id=account.id, person_id=command.person_id)


@decides(SetPassword, on=Account, key="account_id")
def set_password(account: Account, command: SetPassword, context: Context) -> tuple[Any, ...]:
    """A password for an account of the local issuer."""
    if account.of != "person" or LOCAL not in {entry.issuer for entry in account.logins}:
        raise Refused("not_local_account", account_id=account.id)
    return _with_means(account, "password", password=kept_password(command.password, context.new_id("salt")))


@decides(SetClientSecret, on=Account, key="account_id")
def set_client_secret(account: Account, command: SetClientSecret, context: Context) -> tuple[Any, ...]:
    """A secret for the account of another system."""
    if account.of != "service":
        raise Refused("not_service_account", account_id=account.id)
    return _with_means(account, "client_secret", client_secret=kept_secret(command.secret))


@decides(EnrolSecondFactor, on=Account, key="account_id")
def enrol_second_factor(account: Account, command: EnrolSecondFactor, context: Context) -> tuple[Any, ...]:
    """The seed of one-time codes, which every later log-in of the account may prove."""
    return _with_means(account, "second_factor", totp=Private(command.totp, kind="totp"))


def _with_means(account: Account, means: Any, **change: Any) -> tuple[Any, ...]:
    state = ACCOUNT.move("change", account.state)
    return replace(account, state=state, **change), AccountChanged(account_id=account.id, state="open", means=means)


@decides(LockAccount, on=Account, key="account_id", facts=("real_now",))
def lock_account(account: Account, command: LockAccount, context: Context, *, real_now: dt.datetime) -> tuple[Any, ...]:
    """Nobody logs in any more, and what was issued is void."""
    state = ACCOUNT.move("lock", account.state)
    locked = replace(account, state=state, void_before=real_now)
    return locked, AccountChanged(account_id=account.id, state="locked"), _void(account, real_now)


@decides(UnlockAccount, on=Account, key="account_id", facts=("real_now",))
def unlock_account(
    account: Account, command: UnlockAccount, context: Context, *, real_now: dt.datetime
) -> tuple[Any, ...]:
    """Ends a lock and forgets failed log-ins; also for an account that only failed too often."""
    state = ACCOUNT.move("unlock", account.state)
    return replace(account, state=state, unlocked_at=real_now), AccountChanged(account_id=account.id, state="open")


@decides(RevokeTokens, on=Account, key="account_id", facts=("real_now",))
def revoke_tokens(
    account: Account, command: RevokeTokens, context: Context, *, real_now: dt.datetime
) -> tuple[Any, ...]:
    """All tokens and sessions until now are void; the account may log in again."""
    state = ACCOUNT.move("change", account.state)
    return replace(account, state=state, void_before=real_now), _void(account, real_now)


@decides(CloseAccount, on=Account, key="account_id", facts=("real_now",))
def close_account(
    account: Account, command: CloseAccount, context: Context, *, real_now: dt.datetime
) -> tuple[Any, ...]:
    """The account ends, its grants with it; its history stays."""
    state = ACCOUNT.move("close", account.state)
    standing = tuple(g for g in account.grants if g.revoked_at is None)
    grants = tuple(revoked(g, context.actor, command.reason, real_now) for g in account.grants)
    closed = replace(account, state=state, grants=grants, void_before=real_now, password=None, client_secret=None)
    told = (GrantRevoked(account_id=account.id, grant_id=g.id, at=real_now) for g in standing)
    return closed, AccountChanged(account_id=account.id, state="closed"), *told, _void(account, real_now)


def revoked(grant: Given, actor: str, reason: str, at: dt.datetime) -> Given:
    """The grant, revoked at an instant of real time; one that already is stays as it was."""
    if grant.revoked_at is not None:
        return grant
    return replace(grant, revoked_at=at, revoked_by=actor, revoked_reason=reason)


def _void(account: Account, at: dt.datetime) -> TokensRevoked:
    return TokensRevoked(account_id=account.id, before=at)
