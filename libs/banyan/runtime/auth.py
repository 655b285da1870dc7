"""Tokens: who signs them, who believes them. Real time always: the demo's clock never moves a token's.

A token is a JWT (RFC 9068 `at+jwt`, EdDSA) of ten minutes at the most. Each process verifies alone, by the public
keys of identity's events; a verified token is remembered by its digest until it ends, only revocation is asked again.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry

from banyan.contracts.identity import GrantRevoked, SessionRevoked, TokensRevoked
from banyan.kernel.context import Caller, Grant
from banyan.kernel.refusal import Refused
from banyan.runtime.host import clock

ISSUER = "banyan"
ALG = "Ed25519"  # RFC 9864: the name says the curve; "EdDSA" of RFC 8037 is the same signature and is read too
TYPE = "at+jwt"
LIFE_S = 600
SKEW_S = 30
REMEMBERED = 20_000
"""Verified tokens that a process remembers, about 1 KB each."""

_REGISTRY = JWSRegistry(algorithms=["Ed25519", "EdDSA"])

PublicKeys = Callable[[], Mapping[str, Mapping[str, str]]]
"""kid -> public JWK of every key whose tokens are believed now (use `token`, not retired)."""


class Revoked(Protocol):
    """Whether a token of an account is void: by its time of issue, its session or one of its grants."""

    def __call__(self, account: str, jti: str, iat: int, grants: tuple[str, ...]) -> bool: ...


class GrantClaim(msgspec.Struct, frozen=True, omit_defaults=True):
    """A grant as it travels: duty, division, fields, since, until, id."""

    d: str
    v: str
    f: tuple[str, ...] = ("*",)
    s: dt.date | None = None
    u: dt.date | None = None
    i: str = ""


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says; `jti` is `<session>.<n>`."""

    iss: str
    sub: str
    exp: int
    iat: int
    jti: str
    prs: str | None = None
    acr: str = "1"
    grants: tuple[GrantClaim, ...] = ()


class _Known(msgspec.Struct, frozen=True):
    caller: Caller
    kid: str
    x: str  # the public key itself: another key under the same kid believes nothing of the old
    jti: str
    iat: int
    exp: int
    grants: tuple[str, ...]


def claims_of(caller: Caller, *, jti: str, iat: int, life_s: int = LIFE_S) -> Claims:
    """The claims of a caller's token from `iat` on (epoch seconds), never longer than ten minutes."""
    grants = tuple(GrantClaim(g.duty, g.division, g.fields, g.since, g.until, g.id) for g in caller.grants)
    end = iat + min(life_s, LIFE_S)
    return Claims(ISSUER, caller.account, end, iat, jti, caller.person, caller.acr, grants)


def sign_token(key_id: str, key: Ed25519PrivateKey, claims: Claims) -> str:
    """The token, signed. `key_id` and `key` as `banyan.vault.keys.KeyFolder.signing_key()` answers them."""
    okp = OKPKey.import_key({**public_jwk(key_id, key), "d": _b64(key.private_bytes_raw())})
    header = {"alg": ALG, "typ": TYPE, "kid": key_id}
    return jwt.encode(header, msgspec.to_builtins(claims), okp, algorithms=[ALG])


def public_jwk(key_id: str, key: Ed25519PrivateKey) -> dict[str, str]:
    """The public half as a JWK (RFC 8037)."""
    return jwk_of_raw(key_id, key.public_key().public_bytes_raw())


def jwk_of_raw(key_id: str, raw: bytes) -> dict[str, str]:
    """The JWK of 32 raw public bytes."""
    x = _b64(raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id, "use": "sig", "alg": ALG}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unauthenticated(reason: str) -> Refused:
    return Refused("unauthenticated", reason=reason)


class Authenticator:
    """Turns a token into its caller; refuses `unauthenticated` with reason missing, forged, unknown_key, expired or
    revoked."""

    def __init__(self, keys: PublicKeys, revoked: Revoked, *, now: Callable[[], float] = clock.epoch_s) -> None:
        self._keys, self._revoked, self._now = keys, revoked, now
        self._known: dict[bytes, _Known] = {}

    def authenticate(self, token: str | None) -> Caller:
        """The caller with its grants; their dates are judged where a duty is asked for, by the platform's day."""
        if not token:
            raise _unauthenticated("missing")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._verify(token)
            self._remember(digest, known)
        self._still_good(known)
        return known.caller

    def _still_good(self, known: _Known) -> None:
        """What may change after a token was verified: time, its key, revocation."""
        now = self._now()
        if now >= known.exp + SKEW_S:
            raise _unauthenticated("expired")
        if known.iat > now + SKEW_S:
            raise _unauthenticated("forged")
        jwk = self._keys().get(known.kid)
        if jwk is None or jwk.get("x") != known.x:
            raise _unauthenticated("unknown_key")
        if self._revoked(known.caller.account, known.jti, known.iat, known.grants):
            raise _unauthenticated("revoked")

    def _verify(self, token: str) -> _Known:
        kid, jwk = self._key_of(token)
        try:
            read = jwt.decode(token, OKPKey.import_key(dict(jwk)), algorithms=["Ed25519", "EdDSA"], registry=_REGISTRY)
            claims = msgspec.convert(read.claims, Claims)
        except (JoseError, ValueError, TypeError) as error:  # ValueError: msgspec's and base64's own
            raise _unauthenticated("forged") from error
        if claims.iss != ISSUER or read.header.get("typ") != TYPE or claims.exp - claims.iat > LIFE_S:
            raise _unauthenticated("forged")
        grants = tuple(Grant(duty=g.d, division=g.v, fields=g.f, since=g.s, until=g.u, id=g.i) for g in claims.grants)
        caller = Caller(account=claims.sub, person=claims.prs, grants=grants, acr=claims.acr)
        return _Known(caller, kid, jwk["x"], claims.jti, claims.iat, claims.exp, tuple(g.id for g in grants))

    def _key_of(self, token: str) -> tuple[str, Mapping[str, str]]:
        """The key that the header names, before anything of the token is believed."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError, TypeError) as error:
            raise _unauthenticated("forged") from error
        if not isinstance(kid, str):
            raise _unauthenticated("forged")
        jwk = self._keys().get(kid)
        if jwk is None:
            raise _unauthenticated("unknown_key")
        return kid, jwk

    def _remember(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= REMEMBERED:
            now = self._now()
            alive = {d: k for d, k in list(self._known.items()) if now < k.exp + SKEW_S}
            self._known = alive if len(alive) < REMEMBERED else {}
        self._known[digest] = known


class Revocations:
    """What was revoked lately, folded from identity.account; older than any token lives is forgotten."""

    def __init__(self) -> None:
        self._accounts: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._grants: dict[str, int] = {}

    def __call__(self, account: str, jti: str, iat: int, grants: tuple[str, ...]) -> bool:
        """Whether the token is void: three look-ups, and one for each grant."""
        if iat <= self._accounts.get(account, -1):
            return True
        if self._sessions and jti.partition(".")[0] in self._sessions:
            return True
        return bool(self._grants) and not self._grants.keys().isdisjoint(grants)

    def note(self, kind: str, value: str, at: int) -> None:
        """Takes note of a revocation: kind account, session or grant; `at` in epoch seconds."""
        noted = {"account": self._accounts, "session": self._sessions, "grant": self._grants}[kind]
        noted[value] = max(at, noted.get(value, -1))

    def fold(self, event: object) -> None:
        """Takes note of an event; of other events nothing."""
        match event:
            case TokensRevoked():
                self.note("account", event.account_id, int(event.before.timestamp()))
            case SessionRevoked():
                self.note("session", event.session_id, int(event.at.timestamp()))
            case GrantRevoked():
                self.note("grant", event.grant_id, int(event.at.timestamp()))

    def forget(self, now: float) -> None:
        """Drops what no living token can meet any more."""
        oldest = now - LIFE_S - 2 * SKEW_S
        for noted in (self._accounts, self._sessions, self._grants):
            for name in [name for name, at in list(noted.items()) if at < oldest]:
                noted.pop(name, None)
