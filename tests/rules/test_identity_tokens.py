"""Tokens: what is believed, and everything that is not."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from banyan.contracts.identity import GrantRevoked, SessionRevoked, TokensRevoked
from banyan.kernel.context import Caller, Grant
from banyan.kernel.refusal import Refused
from banyan.runtime import auth

NOW = 1_790_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
CALLER = Caller(
    account="a-1",
    person="p-1",
    grants=(
        Grant(duty="registrar", division="350200000000", until=dt.date(2030, 1, 1), id="g-1"),
        Grant(duty="station_lead", division="350203001000", fields=("06", "12"), id="g-2"),
    ),
    acr="2",
)


@dataclass
class Post:
    """A service that believes tokens: its keys, what was revoked, and its clock."""

    keys: dict[str, dict[str, str]] = field(default_factory=lambda: {"k1": auth.public_jwk("k1", KEY)})
    revoked: auth.Revocations = field(default_factory=auth.Revocations)
    now: float = NOW

    def __post_init__(self) -> None:
        self.guard = auth.Authenticator(lambda: self.keys, self.revoked, now=lambda: self.now)

    def reason(self, token: str | None) -> str | None:
        """Why a token is not believed; None where it is."""
        try:
            self.guard.authenticate(token)
        except Refused as refused:
            return str(refused.facts["reason"]) if refused.code == "unauthenticated" else refused.code
        return None


def token(key: Ed25519PrivateKey = KEY, kid: str = "k1", **claims: object) -> str:
    return auth.sign_token(kid, key, replace(auth.claims_of(CALLER, jti="s-1.aa", iat=NOW), **claims))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def payload(text: str) -> dict[str, object]:
    middle = text.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def test_a_token_says_who_calls_and_by_which_grants() -> None:
    assert Post().guard.authenticate(token()) == CALLER


def test_it_travels_with_the_short_names_that_the_contract_says() -> None:
    said = payload(token())
    assert said["iss"] == "banyan"
    assert (said["sub"], said["prs"], said["acr"], said["exp"]) == ("a-1", "p-1", "2", NOW + 600)
    assert said["grants"][1] == {"d": "station_lead", "v": "350203001000", "f": ["06", "12"], "i": "g-2"}  # type: ignore[index]


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_missing(nothing: str | None) -> None:
    assert Post().reason(nothing) == "missing"


def test_alg_none_is_forged() -> None:
    head, body, _ = token().split(".")
    none = part({"alg": "none", "typ": "at+jwt", "kid": "k1"})
    assert Post().reason(f"{none}.{body}.") == "forged"
    assert Post().reason(f"{head}.{body}.") == "forged"


def test_the_public_key_used_as_a_shared_secret_is_forged() -> None:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    secret = OctKey.import_key(auth.public_jwk("k1", KEY)["x"])
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}
    assert Post().reason(jwt.encode(header, payload(token()), secret)) == "forged"


def test_another_key_under_our_kid_is_forged() -> None:
    assert Post().reason(token(OTHER)) == "forged"


def test_a_changed_claim_is_forged() -> None:
    head, _, signature = token().split(".")
    grown = {**payload(token()), "sub": "a-2"}
    assert Post().reason(f"{head}.{part(grown)}.{signature}") == "forged"


def test_a_token_of_another_type_or_issuer_is_forged() -> None:
    from joserfc import jwt
    from joserfc.jwk import OKPKey

    key = OKPKey.import_key({**auth.public_jwk("k1", KEY), "d": auth._b64(KEY.private_bytes_raw())})
    for header, claims in (
        ({"alg": "Ed25519", "typ": "JWT", "kid": "k1"}, payload(token())),
        ({"alg": "Ed25519", "typ": "at+jwt", "kid": "k1"}, {**payload(token()), "iss": "elsewhere"}),
        ({"alg": "Ed25519", "typ": "at+jwt", "kid": "k1"}, {"iss": "banyan"}),
    ):
        assert Post().reason(jwt.encode(header, claims, key, algorithms=["Ed25519"])) == "forged"


@pytest.mark.parametrize("text", ["x", "a.b.c", "....", "é.é.é", "\ud800", "e30.e30.e30", "W10.W10.W10", "a" * 9000])
def test_what_is_no_token_is_forged(text: str) -> None:
    assert Post().reason(text) == "forged"


def test_an_unknown_kid_is_said_to_be_one() -> None:
    assert Post().reason(token(kid="k9")) == "unknown_key"


def test_a_retired_key_ends_its_tokens_at_once() -> None:
    post, held = Post(), token()
    assert post.reason(held) is None
    post.keys = {}
    assert post.reason(held) == "unknown_key"


def test_another_key_under_the_old_kid_ends_the_old_tokens() -> None:
    post, held = Post(), token()
    assert post.reason(held) is None
    post.keys = {"k1": auth.public_jwk("k1", OTHER)}
    assert post.reason(held) == "unknown_key"


def test_it_lives_ten_minutes_and_thirty_seconds_of_skew() -> None:
    post, held = Post(), token()
    for at, reason in ((NOW + 629, None), (NOW + 630, "expired")):
        post.now = at
        assert post.reason(held) == reason
    assert Post(now=NOW + 630).reason(held) == "expired"


def test_it_never_lives_longer_whoever_signs_it() -> None:
    assert auth.claims_of(CALLER, jti="s-1.a", iat=NOW, life_s=86_400).exp == NOW + 600
    assert Post().reason(token(exp=NOW + 86_400)) == "forged"


def test_a_token_from_the_future_is_forged_but_for_skew() -> None:
    assert Post(now=NOW - 30).reason(token()) is None
    assert Post(now=NOW - 31).reason(token()) == "forged"


def at(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(NOW + seconds, dt.UTC)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (GrantRevoked(account_id="a-1", grant_id="g-2", at=at(1)), "revoked"),
        (GrantRevoked(account_id="a-1", grant_id="g-3", at=at(1)), None),
        (SessionRevoked(account_id="a-1", session_id="s-1", at=at(1)), "revoked"),
        (SessionRevoked(account_id="a-1", session_id="s-11", at=at(1)), None),
        (TokensRevoked(account_id="a-1", before=at(0)), "revoked"),
        (TokensRevoked(account_id="a-1", before=at(-1)), None),
        (TokensRevoked(account_id="a-2", before=at(9)), None),
    ],
)
def test_a_token_that_was_believed_before_is_void_once_revoked(event: object, reason: str | None) -> None:
    post, held = Post(), token()
    assert post.reason(held) is None
    post.revoked.fold(event)
    assert post.reason(held) == reason


def test_revocations_are_forgotten_only_when_no_token_can_meet_them() -> None:
    post, held = Post(), token()
    post.revoked.fold(GrantRevoked(account_id="a-1", grant_id="g-1", at=at(0)))
    post.revoked.forget(NOW + 629)
    assert post.reason(held) == "revoked"
    post.revoked.forget(NOW + 661)
    post.now = NOW + 661
    assert post.reason(held) == "expired"


def test_memory_stays_within_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 8)
    post = Post()
    for number in range(40):
        assert post.reason(token(jti=f"s-{number}.a")) is None
    assert len(post.guard._known) <= 8


def test_a_known_token_costs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    post, held = Post(), token()
    assert post.reason(held) is None
    monkeypatch.setattr(auth.jwt, "decode", lambda *_, **__: pytest.fail("verified twice"))
    assert post.reason(held) is None
