"""Signing keys 签名公钥: the public halves by which everybody verifies tokens and heads; published, later retired."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.identity import PublishSigningKey, RetireSigningKey, SigningKeyPublished
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused


class SigningKey(Aggregate, frozen=True, kw_only=True):
    """A public key for one use; its id is `<use>.<kid>`."""

    kind: ClassVar[str] = "signing_key"
    prefix: ClassVar[str] = "k"

    state: str
    kid: str
    jwk: dict[str, str]
    alg: str
    use: str  # token | head
    from_at: dt.datetime
    until_at: dt.datetime | None = None


SIGNING_KEY = Machine(
    "signing_key", initial="published", moves=[Move("retire", "published", "retired")], ends=("retired",)
)
PUBLIC_PARTS = {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"}


@decides(PublishSigningKey, on=SigningKey, facts=("real_now", "published_key"))
def publish_signing_key(
    _: None, command: PublishSigningKey, context: Context, *, real_now: dt.datetime, published_key: SigningKey | None
) -> tuple[Any, ...]:
    """Makes a public key known; the same one again changes nothing; refuses what is, or names, a private one."""
    private = sorted(set(command.jwk) - PUBLIC_PARTS)
    if private or command.jwk.get("kid", command.kid) != command.kid:
        raise Refused("not_a_public_key", kid=command.kid, fields=private)
    if published_key is not None:
        if published_key.jwk == command.jwk and published_key.state == SIGNING_KEY.initial:
            return (None,)
        raise Refused("key_published", key=published_key.id)
    key = SigningKey(
        id=f"{command.use}.{command.kid}",
        division=command.division,
        state=SIGNING_KEY.initial,
        kid=command.kid,
        jwk=command.jwk,
        alg=command.alg,
        use=command.use,
        from_at=command.from_at or real_now,
        until_at=command.until_at,
    )
    return key, _published(key)


@decides(RetireSigningKey, on=SigningKey, key="key")
def retire_signing_key(key: SigningKey, command: RetireSigningKey, context: Context) -> tuple[Any, ...]:
    """From that instant no token signed with the key is believed; old heads stay provable by it."""
    retired = replace(key, state=SIGNING_KEY.move("retire", key.state), until_at=command.until_at)
    return retired, _published(retired)


def _published(key: SigningKey) -> SigningKeyPublished:
    use: Any = key.use
    return SigningKeyPublished(
        kid=key.kid, jwk=key.jwk, alg=key.alg, use=use, from_at=key.from_at, until_at=key.until_at
    )
