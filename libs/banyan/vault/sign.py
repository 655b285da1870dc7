"""Signatures under heads: ed25519 now, by name, so that another can follow at a signed head."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from banyan.kernel.refusal import Refused
from banyan.vault.keys import KeyFolder
from banyan.wire.chain import Head, head_bytes

# A name's place does not move; False: agreed upon, but this release does not compute it.
SIGNATURES = {"ed25519": True, "sm2": False}
SIGN_ALG = "ed25519"


class SigningPass:
    """One reading of the signing key: all heads of a pass bear its id."""

    def __init__(self, key_id: str, key: Ed25519PrivateKey) -> None:
        self.key_id, self._key = key_id, key

    def sign(self, content: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._key.sign(content)

    def head(self, stream: str, position: int, chain: bytes, signed_at: str, hash_alg: str = "sha-256") -> Head:
        """The signed head of a stream at a position; `signed_at` is real time, RFC 3339 in UTC."""
        bare = Head(stream, str(position), chain.hex(), hash_alg, SIGN_ALG, self.key_id, signed_at)
        return msgspec.structs.replace(bare, signature=base64.b64encode(self.sign(head_bytes(bare))).decode())


class Signer:
    """Signs with the key as it lies in its file now; `SigningUnavailable` while it cannot be read."""

    def __init__(self, keys: KeyFolder) -> None:
        self._keys = keys

    def begin(self) -> SigningPass:
        """Reads the key for one pass over the streams."""
        return SigningPass(*self._keys.signing_key())

    @property
    def key_id(self) -> str:
        """The id of the key that signs now."""
        return self.begin().key_id

    def sign(self, content: bytes) -> bytes:
        """The signature over content; for several that belong together use one `begin()`."""
        return self.begin().sign(content)


def signature_holds(public_key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether ed25519 signature and content belong together under the 32 raw public bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def head_fault(head: Head, public_keys: Mapping[str, bytes]) -> str | None:
    """Why a head is not to be believed (`head_key_unknown`, `head_signature`), or None; refuses an absent algorithm."""
    if not SIGNATURES.get(head.sign_alg):
        available = [name for name, known in SIGNATURES.items() if known]
        raise Refused("algorithm_unavailable", alg=head.sign_alg, available=available)
    public_key = public_keys.get(head.key_id)
    if public_key is None:
        return "head_key_unknown"
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except (binascii.Error, ValueError):
        return "head_signature"
    if base64.b64encode(signature).decode() != head.signature:  # one spelling only
        return "head_signature"
    return None if signature_holds(public_key, signature, head_bytes(head)) else "head_signature"


def jwks(public_keys: Mapping[str, bytes]) -> dict[str, list[dict[str, str]]]:
    """The public keys as a JWK set (RFC 8037), for anyone who verifies."""
    return {"keys": [_jwk(key_id, raw) for key_id, raw in public_keys.items()]}


def from_jwks(document: Mapping[str, Any]) -> dict[str, bytes]:
    """key_id → 32 raw bytes of the Ed25519 keys in a JWK set; other kinds of key are passed over."""
    found = {}
    for key in document.get("keys", ()):
        if key.get("kty") == "OKP" and key.get("crv") == "Ed25519":
            found[str(key["kid"])] = base64.urlsafe_b64decode(key["x"] + "=")
    return found


def _jwk(key_id: str, raw: bytes) -> dict[str, str]:
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id, "use": "sig", "alg": "EdDSA"}
