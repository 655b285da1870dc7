"""What identity's rules must know beside their records: log-in identities under lock, failures, rows that are known."""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from banyan import contracts as all_contracts
from banyan.contracts.identity import (
    AgreePartner,
    ChangeDivision,
    ClientCredentials,
    HandOverDuty,
    LinkPerson,
    LinkSubject,
    LoadDivisions,
    LogIn,
    LogInOidc,
    LogOut,
    OpenAccount,
    PublishSigningKey,
    Refresh,
    SetCompetence,
    SetFigures,
)
from banyan.contracts.identity_shapes import Competence
from banyan.kernel.context import Context
from banyan.kernel.divisions import Division, prefix
from banyan.kernel.message import Event, contracts
from banyan.kernel.personal import private_fields
from banyan.kernel.policy import Figure
from banyan.runtime.commands.store import Db, fact
from banyan.wire.chain import PERSONAL
from services.identity.domain.account import LOCAL, Account, login_word
from services.identity.domain.partner import Known, Partner
from services.identity.domain.session import Presented, Session
from services.identity.domain.signing_key import SigningKey
from services.identity.oidc import read_id_token

FAILED = ["wrong_secret", "wrong_code"]
BY_LOGIN = "body->'logins' @> jsonb_build_array(jsonb_build_object('subject', jsonb_build_object('i', array[%(i)s])))"
FAILURES = (
    "select count(*) filter (where state = 'refused' and body->>'reason' = any(%(failed)s) and at > %(since)s),"
    " max((body->>'step')::bigint) from session where account_id = %(id)s and at > %(day)s"
)
ONE_DAY = dt.timedelta(days=1)


@fact("real_now")
def real_now(db: Db, commands: Sequence[Any], context: Context) -> list[dt.datetime]:
    """The database's own time, in milliseconds: the demo's clock moves neither tokens nor sessions."""
    now = db.rows("select date_trunc('milliseconds', clock_timestamp())")[0][0]
    return [now] * len(commands)


def account_of_login(db: Db, issuer: str, subject: str, *, lock: bool = False) -> Account | None:
    """The account of a log-in identity, under lock where it is to be decided on."""
    index = db.index("subject", login_word(issuer, subject))
    found = db.records(Account, f"{BY_LOGIN} order by id limit 1{' for update' if lock else ''}", {"i": index})
    return found[0] if found else None


@fact("login_holder")
def login_holder(db: Db, commands: Sequence[OpenAccount | LinkSubject], context: Context) -> list[str | None]:
    """The id of the account that has the log-in identity already; asked for one at a time, so nobody slips in."""
    holders = []
    for command in commands:
        index = db.index("subject", login_word(command.issuer, command.subject))
        db.rows("select pg_advisory_xact_lock(hashtext('identity.login'), hashtext(%(i)s))", {"i": index})
        holder = account_of_login(db, command.issuer, command.subject)
        holders.append(holder.id if holder else None)
    return holders


@fact("duties_of_person")
def duties_of_person(db: Db, commands: Sequence[Any], context: Context) -> list[tuple[str, ...]]:
    """The duties that the person holds by other accounts."""
    return [_other_duties(db, command, context) for command in commands]


def _other_duties(db: Db, command: Any, context: Context) -> tuple[str, ...]:
    own = getattr(command, "account_id", None)
    person = command.person_id if isinstance(command, OpenAccount | LinkPerson) else _person_of(db, own)
    if person is None:
        return ()
    db.rows("select pg_advisory_xact_lock(hashtext('identity.person'), hashtext(%(p)s))", {"p": person})
    where = "person_id = %(p)s and state <> 'closed' and id is distinct from %(own)s"
    accounts = db.records(Account, where, {"p": person, "own": own})
    return tuple(duty for account in accounts for duty in account.held(context.today))


def _person_of(db: Db, account_id: str | None) -> str | None:
    account = db.record(Account, account_id or "")
    return account.person_id if account else None


@fact("presented")
def presented(db: Db, commands: Sequence[Any], context: Context) -> list[Presented]:
    """The account behind an attempt, under lock, with its failures within the figure `lock_out_min`."""
    return [_presented(db, command, context) for command in commands]


def _presented(db: Db, command: Any, context: Context) -> Presented:
    now = real_now(db, (command,), context)[0]
    match command:
        case LogIn():
            account = account_of_login(db, LOCAL, command.username, lock=True)
        case LogInOidc():
            claims, fault = read_id_token(command.id_token, int(now.timestamp()))
            found = account_of_login(db, claims["iss"], claims["sub"], lock=True) if claims else None
            return _with_failures(db, context, Presented(account=found, now=now, claims=claims, fault=fault))
        case ClientCredentials():
            account = _locked(db, command.client_id)
        case Refresh() | LogOut():
            session = db.record(Session, command.session_id)
            return Presented(account=_locked(db, (session.account_id if session else None) or ""), now=now)
        case _:
            raise TypeError(f"{type(command).__name__} presents nothing")
    return _with_failures(db, context, Presented(account=account, now=now))


def _locked(db: Db, account_id: str) -> Account | None:
    found = db.records(Account, "id = %(id)s for update", {"id": account_id})
    return found[0] if found else None


def _with_failures(db: Db, context: Context, known: Presented) -> Presented:
    account = known.account
    if account is None:
        return known
    since = known.now - dt.timedelta(minutes=context.figure("lock_out_min"))
    since = max(since, account.unlocked_at or since)
    params = {"failed": FAILED, "since": since, "day": known.now - ONE_DAY, "id": account.id}
    failures, step = db.rows(FAILURES, params)[0]
    totp = db.keys.open(account.id, account.totp) if account.totp else None
    return msgspec.structs.replace(known, failures=failures, last_step=step, totp=totp)


@fact("published_key")
def published_key(db: Db, commands: Sequence[PublishSigningKey], context: Context) -> list[SigningKey | None]:
    """The key of that use and kid, where it was published before."""
    return [db.record(SigningKey, f"{command.use}.{command.kid}") for command in commands]


@fact("next_number")
def next_number(db: Db, commands: Sequence[Any], context: Context) -> list[int]:
    """The next place in the order of all changes; changes of reference data go one after another."""
    db.rows("select pg_advisory_xact_lock(hashtext('identity.reference_change'))")
    first = db.rows("select coalesce(max(number), 0) + 1 from reference_change")[0][0]
    return [first + i for i in range(len(commands))]


@fact("known_divisions")
def known_divisions(
    db: Db, commands: Sequence[LoadDivisions | ChangeDivision], context: Context
) -> list[tuple[Division, ...]]:
    """All known versions of the codes that a change names, of their parents, and of all below what ends."""
    return [_divisions(db, *_asked(command)) for command in commands]


def _asked(command: LoadDivisions | ChangeDivision) -> tuple[set[str], list[str]]:
    codes = {row.code for row in command.rows} | {row.parent_code for row in command.rows}
    if isinstance(command, LoadDivisions):
        return codes, []
    ended = {end.code for end in command.ended}
    codes |= ended | {code for end in command.ended for code in end.successors}
    return codes, [f"{prefix(code)}%" for code in sorted(ended)]


def _divisions(db: Db, codes: set[str], below: list[str]) -> tuple[Division, ...]:
    sql = (
        "select row from reference_change, jsonb_array_elements(body->'divisions') with ordinality d(row, n)"
        " where what = 'divisions' and (row->>'code' = any(%(codes)s) or row->>'code' like any(%(below)s))"
        " order by number, n"
    )
    found = db.rows(sql, {"codes": sorted(codes), "below": below})
    return tuple(msgspec.convert(row, Division) for (row,) in found)


@fact("known_figures")
def known_figures(db: Db, commands: Sequence[SetFigures], context: Context) -> list[tuple[Figure, ...]]:
    """Every row of every figure, in the order in which they were set."""
    sql = (
        "select row from reference_change, jsonb_array_elements(body->'figures') with ordinality f(row, n)"
        " where what = 'figures' order by number, n"
    )
    known = tuple(msgspec.convert(row, Figure) for (row,) in db.rows(sql))
    return [known for _ in commands]


@fact("known_workdays")
def known_workdays(db: Db, commands: Sequence[Any], context: Context) -> list[tuple[dt.date, dt.date] | None]:
    """From which day until which the calendar is known."""
    first, last = db.rows("select min(known_from), max(known_until) from reference_change where what = 'workdays'")[0]
    return [(first, last) if first else None for _ in commands]


@fact("known_competence")
def known_competence(
    db: Db, commands: Sequence[SetCompetence | HandOverDuty], context: Context
) -> list[tuple[Competence, ...]]:
    """Every row of the duty, in the order in which they were ordered."""
    return [competence_rows(db, command.duty) for command in commands]


def competence_rows(db: Db, duty: str) -> tuple[Competence, ...]:
    """Every row of a duty, in the order in which they were ordered."""
    sql = (
        "select body->'competence' from reference_change where what = 'competence' and body->'competence'->>'duty' ="
        " %(duty)s order by number"
    )
    return tuple(msgspec.convert(row, Competence) for (row,) in db.rows(sql, {"duty": duty}))


@fact("agreements_beside")
def agreements_beside(db: Db, commands: Sequence[AgreePartner], context: Context) -> list[tuple[Partner, ...]]:
    """Every agreement of the same account or the same name; agreements are made one after another."""
    db.rows("select pg_advisory_xact_lock(hashtext('identity.partner'))")
    where = "account_id = %(account)s or name = %(name)s order by id"
    return [tuple(db.records(Partner, where, {"account": c.partner, "name": c.name})) for c in commands]


@fact("known_events")
def known_events(db: Db, commands: Sequence[AgreePartner], context: Context) -> list[Known]:
    """Stream → the event types that some service publishes in it → their fields."""
    return [_published()] * len(commands)


@cache
def _published() -> Known:
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for place in pkgutil.iter_modules(all_contracts.__path__):
        for event in contracts(importlib.import_module(f"banyan.contracts.{place.name}"), Event):
            private = set(private_fields(event))
            fields = set(event.__struct_fields__) - private | ({PERSONAL} if private else set())
            found[event.stream][event.type_name()] = frozenset(fields)
    return found
