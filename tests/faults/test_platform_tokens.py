"""Tokens that are none any more, or never were: a running process refuses them within seconds, and says no more."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from banyan.cli.seed import Seeder
from banyan.contracts import identity
from banyan.kernel.context import Caller, Grant
from banyan.kernel.refusal import Refused
from banyan.runtime import auth
from banyan.runtime.host.app import public_jwks
from banyan.runtime.host.clock import utc_now
from services.identity.seed import signing_keys
from tests.faults.conftest import started
from tests.instance import PLACE, Instance

XIAMEN = "350200000000"


@pytest.fixture(scope="module")
def garden(postgres: Any, rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """identity and the sample service together: revocations travel as they always do."""
    with started(postgres, rabbit, tmp_path_factory.mktemp("tokens"), "identity") as running:
        yield running


@pytest.fixture(scope="module")
def office(garden: Instance) -> Iterator[Seeder]:
    """Somebody who may open accounts, grant and revoke."""
    seeder = Seeder(garden.laptop.settings())
    yield seeder
    seeder.close()


def _token(garden: Instance, *, key: Any = None, account: str = "g", grant: str = "", iat_s: float = 0) -> str:
    kid, own = garden.keys.signing_key()
    grants = (Grant(duty="gardener", division=XIAMEN, id=grant),)
    caller = Caller(account=account, grants=grants)
    claims = auth.claims_of(caller, jti=f"{account}.0", iat=int(time.time() + iat_s))
    return auth.sign_token(*(key or (kid, own)), claims)


def _plant(garden: Instance, token: str | None) -> Any:
    label = str(uuid.uuid4())
    return garden.call("plant_tree", {"division": PLACE, "label": label}, key=label, token=token)


def _promoted(token: str) -> str:
    """The same token with a greater division written into it."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["grants"][0]["v"] = "350000000000"
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return ".".join((head, body, signature))


WRONG = {
    "missing": lambda garden: None,
    "not a token": lambda garden: "榕",
    "expired": lambda garden: _token(garden, iat_s=-700),
    "of tomorrow": lambda garden: _token(garden, iat_s=86_400),
    "edited": lambda garden: _promoted(_token(garden)),
    "of another key": lambda garden: _token(garden, key=("0123456789abcdef", Ed25519PrivateKey.generate())),
    "of another key under our name": lambda garden: _token(
        garden, key=(garden.keys.signing_key()[0], Ed25519PrivateKey.generate())
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_is_none_changes_nothing(garden: Instance, name: str) -> None:
    before = garden.rows("select count(*) from tree")
    with pytest.raises(Refused) as refused:
        _plant(garden, WRONG[name](garden))
    assert refused.value.code == "unauthenticated"
    assert garden.rows("select count(*) from tree") == before


def _stops_acting(garden: Instance, token: str) -> bool:
    try:
        _plant(garden, token)
    except Refused as refused:
        if refused.code != "unauthenticated":
            raise
        return True
    return False


def _account(office: Seeder, garden: Instance) -> tuple[str, str]:
    """An account with one duty: its id and the grant's."""
    account, _ = office.account(f"u{uuid.uuid4().hex[:10]}", ("registrar",), XIAMEN)
    url = garden.laptop.settings().database_url("identity")
    sql = "select body -> 'grants' -> 0 ->> 'id' from account where id = %s"
    return account, garden.rows_of(url, sql, account)[0][0]


def test_a_revoked_grant_stops_acting_within_seconds(garden: Instance, office: Seeder) -> None:
    account, grant = _account(office, garden)
    token, bystander = _token(garden, account=account, grant=grant), _token(garden, account="bystander")
    _plant(garden, token)
    revoke = identity.RevokeGrant(account_id=account, grant_id=grant, reason="离岗")
    office.run((str(uuid.uuid4()), revoke))
    started_at = time.monotonic()
    garden.wait_until(lambda: _stops_acting(garden, token), "the grant acts no more")
    assert time.monotonic() - started_at < 60
    _plant(garden, bystander)


def test_all_tokens_of_an_account_stop_and_later_ones_act(garden: Instance, office: Seeder) -> None:
    account, _ = _account(office, garden)
    token = _token(garden, account=account, iat_s=-5)
    _plant(garden, token)
    office.run((str(uuid.uuid4()), identity.RevokeTokens(account_id=account, reason="手机遗失")))
    garden.wait_until(lambda: _stops_acting(garden, token), "the old token acts no more")
    _plant(garden, _token(garden, account=account, iat_s=5))


def test_a_retired_key_s_tokens_stop(garden: Instance, office: Seeder) -> None:
    old = garden.keys.signing_key()
    for keyed in signing_keys(public_jwks(garden.keys)):
        office.run(keyed)
    garden.keys.rotate("signing")
    fresh = _token(garden)
    garden.wait_until(lambda: not _stops_acting(garden, fresh), "the new key is believed without a restart")
    _plant(garden, _token(garden, key=old))
    retire = identity.RetireSigningKey(key=f"token.{old[0]}", until_at=utc_now(), reason="定期更换")
    office.run((str(uuid.uuid4()), retire))
    garden.wait_until(lambda: _stops_acting(garden, _token(garden, key=old)), "the old key is believed no more")
    _plant(garden, _token(garden))
