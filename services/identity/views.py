"""Questions to identity: tokens and keys for anybody, accounts for their officers, reference data for all."""

from __future__ import annotations

import datetime as dt
import secrets
from itertools import islice
from typing import Any

from banyan.contracts.identity import (
    FindAccounts,
    FindCompetence,
    FindDivisions,
    FindDuties,
    FindFigures,
    FindPartners,
    IssueToken,
    Jwks,
    WhoAmI,
)
from banyan.contracts.identity_shapes import (
    AccountSeen,
    AccountsSeen,
    CompetenceSeen,
    DivisionsSeen,
    DutiesSeen,
    DutySeen,
    FiguresSeen,
    GrantSeen,
    KeySet,
    PartnerSeen,
    PartnersSeen,
    Token,
    Withheld,
)
from banyan.kernel.context import Caller, Context, Grant
from banyan.kernel.divisions import contains
from banyan.kernel.refusal import Refused
from banyan.runtime.auth import claims_of, sign_token
from banyan.runtime.commands.store import Db, answers
from banyan.runtime.host.app import open_keys
from banyan.runtime.host.settings import load
from services.identity.domain.account import Account, Given
from services.identity.domain.duties import assured, duties, excludes
from services.identity.domain.figure_change import competent
from services.identity.domain.partner import Partner
from services.identity.domain.secrets import secret_fits
from services.identity.domain.session import Session
from services.identity.domain.signing_key import SigningKey
from services.identity.store import competence_rows, real_now


@answers(IssueToken)
def issue_token(query: IssueToken, context: Context, db: Db) -> Token:
    """A token for a living session, with the grants that its assurance carries."""
    session = db.record(Session, query.session_id)
    if session is None or not secret_fits(query.secret, session.secret):
        raise Refused("not_found")
    if session.state == "refused":
        raise Refused("log_in_refused")
    now = real_now(db, (query,), context)[0]
    account = db.record(Account, session.account_id or "")
    if account is None or not session.good(account, now):
        raise Refused("session_ended", session_id=session.id)
    standing = [g for g in account.grants if g.stands(context.today)]
    carried = tuple(_grant(g) for g in standing if assured(g.duty, session.acr))
    caller = Caller(account=account.id, person=account.person_id, grants=carried, acr=session.acr)
    return _signed(caller, session, account, now, context, standing)


def _signed(
    caller: Caller, session: Session, account: Account, now: dt.datetime, context: Context, standing: list[Given]
) -> Token:
    issued = int(now.timestamp())
    if account.void_before is not None:
        issued = max(issued, int(account.void_before.timestamp()) + 1)
    life_s = context.figure("token_min") * 60
    claims = claims_of(caller, jti=f"{session.id}.{secrets.token_hex(8)}", iat=issued, life_s=life_s)
    withheld = {g.duty for g in standing if not assured(g.duty, session.acr)} & set(duties())
    return Token(
        token=sign_token(*open_keys(load()).signing_key(), claims),
        expires_at=dt.datetime.fromtimestamp(claims.exp, dt.UTC),
        account_id=account.id,
        withheld=tuple(Withheld(duty=code, acr=duties()[code].acr) for code in sorted(withheld)),
    )


def _grant(given: Given) -> Grant:
    return Grant(
        duty=given.duty,
        division=given.division,
        fields=given.fields,
        since=given.since,
        until=given.until,
        id=given.id,
    )


@answers(Jwks)
def jwks(query: Jwks, context: Context, db: Db) -> KeySet:
    """Every published key, retired ones too: old heads stay provable; a token's key must not be retired."""
    keys = db.records(SigningKey, "true order by id")
    return KeySet(keys=tuple({**key.jwk, "kid": key.kid} for key in {k.kid: k for k in keys}.values()))


@answers(WhoAmI)
def who_am_i(query: WhoAmI, context: Context, db: Db) -> AccountSeen:
    """One's own account."""
    found = db.versioned(Account, context.caller.account)
    if found is None:
        raise Refused("not_found")
    return _seen(*found, context)


@answers(FindAccounts)
def find_accounts(query: FindAccounts, context: Context, db: Db) -> AccountsSeen:
    """Accounts within reach, by id, person or duty, a page at a time."""
    sql = (
        f"select id from account where {db.jurisdiction()} and id > %(after)s"
        " and (%(id)s::text is null or id = %(id)s) and (%(person)s::text is null or person_id = %(person)s)"
        " and (%(duty)s::text is null"
        " or body->'grants' @> jsonb_build_array(jsonb_build_object('duty', %(duty)s::text)))"
        " order by id limit %(limit)s"
    )
    params = {"after": query.after or "", "id": query.account_id, "person": query.person_id, "duty": query.duty}
    ids = [id for (id,) in db.rows(sql, {**params, "limit": query.limit})]
    found = (db.versioned(Account, id) for id in ids)
    items = tuple(_seen(*one, context) for one in found if one is not None)
    return AccountsSeen(items=items, next=ids[-1] if len(ids) == query.limit else None)


def _seen(account: Account, version: int, context: Context) -> AccountSeen:
    kind: Any = account.of
    return AccountSeen(
        account_id=account.id,
        version=version,
        division=account.division,
        issuer=account.logins[0].issuer,
        state=account.state,
        kind=kind,
        person_id=account.person_id,
        authority=account.authority,
        second_factor=account.totp is not None,
        grants=tuple(_grant_seen(g, context.today) for g in account.grants),
    )


def _grant_seen(given: Given, on: dt.date) -> GrantSeen:
    ended = "revoked" if given.revoked_at else "" if given.stands(on) else "over"
    named = duties().get(given.duty)
    return GrantSeen(
        grant_id=given.id,
        duty=given.duty,
        duty_name=named.name if named else given.duty,
        division=given.division,
        fields=given.fields,
        since=given.since,
        until=given.until,
        state=ended or ("waiting" if given.since and on < given.since else "in_force"),
        given_by=given.given_by,
        reason=given.reason,
    )


@answers(FindDivisions)
def find_divisions(query: FindDivisions, context: Context, db: Db) -> DivisionsSeen:
    """A code as it is on a day, successors followed; or what lies directly below a parent."""
    on, tree = query.on or context.today, context.divisions
    if tree is None:
        raise Refused("unknown_division", division=query.code or query.parent or "", on=on.isoformat())
    if query.code is not None:
        return DivisionsSeen(items=(tree.get(query.code, on),))
    below = (row for row in tree.children(query.parent or "", on) if row.code > (query.after or ""))
    items = tuple(islice(below, query.limit))
    return DivisionsSeen(items=items, next=items[-1].code if len(items) == query.limit else None)


@answers(FindFigures)
def find_figures(query: FindFigures, context: Context, db: Db) -> FiguresSeen:
    """Every dated row with its source, of one figure or all."""
    rows = (row for row in context.policy.figures() if query.name in (None, row.name))
    return FiguresSeen(items=tuple(rows), version=context.policy.version)


@answers(FindCompetence)
def find_competence(query: FindCompetence, context: Context, db: Db) -> CompetenceSeen:
    """Who is competent on a day, and who was before or will be."""
    rows = competence_rows(db, query.duty)
    on_line = tuple(row for row in rows if contains(row.division, query.division))
    return CompetenceSeen(competent=competent(rows, query.division, query.on or context.today), rows=on_line)


@answers(FindDuties)
def find_duties(query: FindDuties, context: Context, db: Db) -> DutiesSeen:
    """All duties, what each needs and excludes."""
    items = (DutySeen(code=d.code, name=d.name, acr=d.acr, excludes=excludes(d.code)) for d in duties().values())
    return DutiesSeen(items=tuple(items))


@answers(FindPartners)
def find_partners(query: FindPartners, context: Context, db: Db) -> PartnersSeen:
    """Agreements within reach, also those that ended, a page at a time."""
    where = f"{db.jurisdiction()} and id > %(after)s order by id limit %(limit)s"
    found = db.records(Partner, where, {"after": query.after or "", "limit": query.limit})
    items = tuple(_partner_seen(agreed) for agreed in found)
    return PartnersSeen(items=items, next=found[-1].id if len(found) == query.limit else None)


def _partner_seen(agreed: Partner) -> PartnerSeen:
    return PartnerSeen(
        agreement_id=agreed.id,
        state=agreed.state,
        partner=agreed.account_id,
        name=agreed.name,
        streams=agreed.streams,
        queue=agreed.queue,
        since=agreed.since,
        until=agreed.until,
        purpose=agreed.purpose,
        legal_basis=agreed.legal_basis,
        agreed_by=agreed.agreed_by,
        ended_at=agreed.ended_at,
    )
