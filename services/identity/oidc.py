"""The province's identity provider: whose id_tokens we believe, by settings; nothing is fetched meanwhile."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet
from pydantic_settings import BaseSettings, SettingsConfigDict

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519"]
SKEW_S = 30


class OidcSettings(BaseSettings):
    """BANYAN_OIDC_ISSUER, BANYAN_OIDC_AUDIENCE (our client id), BANYAN_OIDC_JWKS (a file; renewed by the operator)."""

    model_config = SettingsConfigDict(env_prefix="BANYAN_OIDC_", extra="ignore")

    issuer: str = ""
    audience: str = ""
    jwks: Path | None = None


@cache
def _keys(path: Path, changed_ns: int) -> KeySet:
    return KeySet.import_key_set(json.loads(path.read_text("utf-8")))


def read_id_token(token: str, now_s: int, settings: OidcSettings | None = None) -> tuple[dict[str, Any] | None, str]:
    """(claims, "") of a good id_token, else (None, why): no_provider, expired, forged."""
    trusted = settings or OidcSettings()
    if not (trusted.issuer and trusted.audience and trusted.jwks):
        return None, "no_provider"
    needed: dict[str, Any] = {
        "iss": {"essential": True, "value": trusted.issuer},
        "aud": {"essential": True, "value": trusted.audience},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    try:
        keys = _keys(trusted.jwks, trusted.jwks.stat().st_mtime_ns)
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(now=now_s, leeway=SKEW_S, **needed).validate(claims)
    except ExpiredTokenError:
        return None, "expired"
    except (JoseError, ValueError, TypeError):
        return None, "forged"
    return dict(claims), ""
