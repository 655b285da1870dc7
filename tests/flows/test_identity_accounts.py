"""identity on a real PostgreSQL: accounts, log-ins, sessions, tokens, and the seeded reference data."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from msgspec.structs import replace

from banyan.contracts import identity as words
from banyan.contracts.identity_shapes import Ended
from banyan.kernel.refusal import Refused
from banyan.runtime.host.app import App, load_service, public_jwks
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.testkit.owned import at_path, drop_database, fresh_name
from banyan.vault import keys as key_files
from services.identity import seed
from tests.flows.identity_desk import CITY, PASSWORD, SEED_32, Identity, secret


@pytest.fixture(scope="module")
def identity(postgres, tmp_path_factory) -> Iterator[Identity]:  # type: ignore[no-untyped-def]
    folder: Path = tmp_path_factory.mktemp("keys") / "k"
    keys = key_files.create(folder)
    prefix = f"{fresh_name()}_"
    settings = Settings(
        mode="test", postgres_url=at_path(postgres.url, "postgres"), database_prefix=prefix, keys=folder
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("BANYAN_KEYS", str(folder))
    try:
        migrate(settings, "identity", "services.identity")
        app = App(load_service("identity"), settings, keys)
        yield Identity(app)
        app.pool.close()
    finally:
        patch.undo()
        drop_database(settings.postgres_url, f"{prefix}identity")


def refused(code: str) -> Any:
    return pytest.raises(Refused, match=code)


def test_an_officer_logs_in_and_every_service_believes_the_token(identity: Identity) -> None:
    account_id, name = identity.account("registrar", "station_lead")
    session, mine = identity.log_in(name)
    assert session["state"] == "open"
    caller = identity.believes(identity.token(session, mine)["token"])
    assert caller.account == account_id
    assert {g.duty for g in caller.grants} == {"registrar", "station_lead"}
    assert identity.anyone(words.WhoAmI(), identity.token(session, mine)["token"])["account_id"] == account_id


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(identity: Identity) -> None:
    _, name = identity.account()
    for who in (name, "nobody-of-that-name"):
        session, mine = identity.log_in(who, "wrong password")
        assert session["state"] == "refused"
        with refused("log_in_refused"):
            identity.token(session, mine)


def test_five_failures_shut_the_door_and_an_administrator_opens_it(identity: Identity) -> None:
    account_id, name = identity.account()
    for _ in range(5):
        assert identity.log_in(name, "wrong password")[0]["state"] == "refused"
    assert identity.log_in(name)[0]["state"] == "refused"
    identity.order(words.UnlockAccount(account_id=account_id, reason="本人核实"))
    assert identity.log_in(name)[0]["state"] == "open"


def test_no_secret_is_kept_or_answered(identity: Identity) -> None:
    _, name = identity.account()
    session, mine = identity.log_in(name)
    assert mine not in json.dumps(session)
    with identity.app.pool.connection() as connection:
        for table in ("idempotency", "audit", "outbox", "account", "account_history", "session", "session_history"):
            text = str(connection.execute(f"select array_agg(t::text) from {table} t").fetchone())
            assert not [kept for kept in (mine, PASSWORD, name) if kept in text], table


def test_a_spent_refresh_secret_ends_the_session_for_both(identity: Identity) -> None:
    _, name = identity.account("registrar")
    session, first = identity.log_in(name)
    second, third = secret(), secret()
    held = identity.token(session, first)["token"]
    identity.anyone(words.Refresh(session_id=session["id"], secret=first, next_secret=second))
    with refused("not_found"):
        identity.token(session, first)
    identity.token(session, second)
    again = identity.anyone(words.Refresh(session_id=session["id"], secret=first, next_secret=third))
    assert again["state"] == "revoked"
    with refused("session_ended"):
        identity.token(session, second)
    identity.revoked.fold(identity.events(words.SessionRevoked)[-1])
    assert identity.events(words.SessionRevoked)[-1].reused
    with refused("unauthenticated"):
        identity.believes(held)


def test_log_out_ends_the_session(identity: Identity) -> None:
    _, name = identity.account()
    session, mine = identity.log_in(name)
    assert identity.anyone(words.LogOut(session_id=session["id"], secret=mine))["state"] == "ended"
    with refused("session_ended"):
        identity.token(session, mine)


def test_a_revoked_grant_stops_acting_and_a_new_token_is_without_it(identity: Identity) -> None:
    account_id, name = identity.account("registrar", "station_lead")
    session, mine = identity.log_in(name)
    held = identity.token(session, mine)["token"]
    grant = next(g for g in identity.believes(held).grants if g.duty == "registrar")
    identity.order(words.RevokeGrant(account_id=account_id, grant_id=grant.id, reason="调离"))
    identity.revoked.fold(identity.events(words.GrantRevoked)[-1])
    with refused("unauthenticated"):
        identity.believes(held)
    fresh = identity.believes(identity.token(session, mine)["token"])
    assert [g.duty for g in fresh.grants] == ["station_lead"]


def test_revoked_tokens_end_the_sessions_and_a_new_log_in_is_believed_at_once(identity: Identity) -> None:
    account_id, name = identity.account("registrar")
    session, mine = identity.log_in(name)
    held = identity.token(session, mine)["token"]
    identity.order(words.RevokeTokens(account_id=account_id, reason="手机遗失"))
    identity.revoked.fold(identity.events(words.TokensRevoked)[-1])
    with refused("unauthenticated"):
        identity.believes(held)
    with refused("session_ended"):
        identity.token(session, mine)
    assert identity.believes(identity.token(*identity.log_in(name))["token"]).account == account_id


def test_a_locked_account_has_nothing(identity: Identity) -> None:
    account_id, name = identity.account("registrar")
    session, mine = identity.log_in(name)
    identity.order(words.LockAccount(account_id=account_id, reason="涉嫌违规"))
    with refused("session_ended"):
        identity.token(session, mine)
    assert identity.log_in(name)[0]["state"] == "refused"


def test_a_duty_that_needs_two_factors_is_withheld_until_the_code_is_given(identity: Identity) -> None:
    account_id, name = identity.account("security_admin", "registrar")
    identity.order(words.EnrolSecondFactor(account_id=account_id, totp=SEED_32))
    one = identity.token(*identity.log_in(name))
    assert {g.duty for g in identity.believes(one["token"]).grants} == {"registrar"}
    assert one["withheld"] == [{"duty": "security_admin", "acr": "2"}]
    code = _code()
    two = identity.token(*identity.log_in(name, code=code))
    assert {g.duty for g in identity.believes(two["token"]).grants} == {"registrar", "security_admin"}
    assert identity.log_in(name, code=code)[0]["state"] == "refused"


def _code() -> str:
    seed_bytes = base64.b32decode(SEED_32)
    return TOTP(seed_bytes, 6, SHA1(), 30, enforce_key_length=False).generate(int(time.time())).decode()


def test_the_three_administrators_are_never_one_person(identity: Identity) -> None:
    person = f"p-{uuid.uuid4().hex}"
    account_id, _ = identity.account("security_admin", password=False, person_id=person)
    other, _ = identity.account(password=False, person_id=person)
    for account in (account_id, other):
        with refused("duties_exclude"):
            identity.order(words.GrantDuty(account_id=account, duty="audit_admin", division=CITY, reason="任命"))


def test_one_log_in_identity_is_one_account(identity: Identity) -> None:
    account_id, name = identity.account(password=False)
    with refused("account_exists"):
        identity.order(words.OpenAccount(division=CITY, issuer="local", subject=name))
    identity.order(words.LinkSubject(account_id=account_id, issuer="mini", subject=name))
    with refused("account_exists"):
        identity.order(words.OpenAccount(division=CITY, issuer="mini", subject=name))


def test_a_service_logs_in_by_its_secret(identity: Identity) -> None:
    opened = words.OpenAccount(division=CITY, issuer="local", subject=f"svc-{uuid.uuid4().hex}", kind="service")
    account_id = identity.order(opened)["id"]
    own, mine = secret(), secret()
    identity.order(words.SetClientSecret(account_id=account_id, secret=own))
    for given, state in ((secret(), "refused"), (own, "open")):
        asked = words.ClientCredentials(client_id=account_id, client_secret=given, secret=mine)
        session = identity.anyone(asked)
        assert session["state"] == state
    assert identity.believes(identity.token(session, mine)["token"]).account == account_id


def test_all_reference_data_is_seeded_once_however_often_it_is_asked_for(identity: Identity) -> None:
    policy = (Path(seed.__file__).parent / "policy.toml").read_text("utf-8")
    for _ in range(2):
        for key, command in seed.reference({"identity": policy}):
            identity.order(command, key)
    loaded = [row for event in identity.events(words.DivisionsLoaded) for row in event.rows]
    assert len(loaded) == len(list(seed.data.divisions()))
    assert max(len(event.rows) for event in identity.events(words.DivisionsLoaded)) <= 500
    assert len(identity.events(words.WorkdaysLoaded)) == 2
    for at in (None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        for key, command in seed.signing_keys(public_jwks(identity.app.keys), at):
            identity.order(command, key)
    (kid,) = public_jwks(identity.app.keys)
    assert [key["kid"] for key in identity.anyone(words.Jwks())["keys"]] == [kid]
    _a_town_is_renamed(identity)


def _a_town_is_renamed(identity: Identity) -> None:
    """A change after the load: the old name ends the day before; below a county that ends nothing is forgotten."""
    day = dt.date(2027, 1, 1)
    town = next(row for row in seed.data.divisions() if row.code == "350203001000")
    renamed = replace(town, name="新名街道", from_on=day)
    order = words.ChangeDivision(
        division=CITY, change="rename", effective_on=day, document="闽政文〔2026〕9号", rows=(renamed,)
    )
    identity.order(order)
    rows = identity.events(words.DivisionsLoaded)[-1].rows
    assert [(row.name, row.from_on, row.until_on) for row in rows] == [
        (town.name, town.from_on, day),
        ("新名街道", day, None),
    ]
    with refused("changed_later"):
        identity.order(order)
    left = words.ChangeDivision(
        division=CITY,
        change="merge",
        effective_on=day,
        document="闽政文〔2026〕10号",
        ended=(Ended(code="350205000000", successors=("350203000000",)),),
    )
    with refused("divisions_left"):
        identity.order(left)
