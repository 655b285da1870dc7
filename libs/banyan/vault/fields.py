"""Fields about persons, sealed under a key of each person's own; destroying that key erases the person everywhere.

A token reads v1.<alg>.<key_id>.<nonce>.<ciphertext and tag>, the last two in base64url without padding.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag

from banyan.kernel.refusal import Refused
from banyan.vault.ciphers import NONCE_BYTES, cipher_of
from banyan.vault.keys import KEY_BYTES, KeyFolder

DEFAULT_ALG = "aes-256-gcm"
INDEX_BYTES = 16
_WRAPS = b"banyan.person-key"


class Vault:
    """Seals, opens and finds fields; holds the instance's keys, never a person's."""

    def __init__(self, keys: KeyFolder, alg: str = DEFAULT_ALG) -> None:
        cipher_of(alg)
        self._keys, self._alg = keys, alg

    def new_person_key(self) -> tuple[bytes, bytes]:
        """(the plain key for use now, the wrapped one to keep); 32 random bytes under the current master key."""
        plain = os.urandom(KEY_BYTES)
        return plain, self._wrap(plain)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The person's plain key, under whichever master key it was wrapped."""
        alg, key_id, nonce, text = _taken_apart(wrapped.decode("ascii", "replace"), "person_key")
        return _opened(alg, self._keys.master(key_id), nonce, text, _WRAPS, "person_key")

    def rewrapped(self, wrapped: bytes) -> bytes:
        """The same person's key under the current master key and algorithm; itself if it already is."""
        alg, key_id, _, _ = _taken_apart(wrapped.decode("ascii", "replace"), "person_key")
        if (alg, key_id) == (self._alg, self._keys.master_id):
            return wrapped
        return self._wrap(self.unwrap(wrapped))

    def seal(self, dek: bytes, plaintext: str, *, kind: str, person_id: str = "") -> str:
        """A token that opens only with this person's key, as this kind of field of this person."""
        return _token(self._alg, dek, person_key_id(dek), plaintext.encode(), _bound(kind, person_id))

    def open(self, dek: bytes, token: str, *, kind: str, person_id: str = "") -> str:
        """The plain text; `field_unreadable` says whether the form, the key or the content does not fit."""
        alg, key_id, nonce, text = _taken_apart(token, kind)
        if key_id != person_key_id(dek):
            raise Refused("field_unreadable", kind=kind, reason="other_key")
        return _opened(alg, dek, nonce, text, _bound(kind, person_id), kind).decode()

    def blind_index(self, kind: str, normalised: str) -> str:
        """32 hex digits by which equal values of one kind are found; HMAC-SHA-256 under a key that no database has."""
        mac = hmac.digest(self._keys.index_key, f"{kind}\0{normalised}".encode(), "sha256")
        return mac[:INDEX_BYTES].hex()

    def _wrap(self, plain: bytes) -> bytes:
        master_id = self._keys.master_id
        return _token(self._alg, self._keys.master(master_id), master_id, plain, _WRAPS).encode()


def person_key_id(dek: bytes) -> str:
    """16 hex digits that tell one person's key from another's and tell nothing else of it."""
    return hashlib.sha256(b"banyan.key.person." + dek).hexdigest()[:16]


def _bound(kind: str, person_id: str) -> bytes:
    return f"banyan.field\0{kind}\0{person_id}".encode()


def _token(alg: str, key: bytes, key_id: str, plain: bytes, bound: bytes) -> str:
    nonce = os.urandom(NONCE_BYTES)
    text = cipher_of(alg).encrypt(key, nonce, plain, bound)
    return f"v1.{alg}.{key_id}.{_text(nonce)}.{_text(text)}"


def _taken_apart(token: str, kind: str) -> tuple[str, str, bytes, bytes]:
    """(alg, key_id, nonce, ciphertext) of a token; each has one spelling only."""
    parts = token.split(".")
    if len(parts) == 5 and parts[0] == "v1":
        try:
            nonce, text = _raw(parts[3]), _raw(parts[4])
        except (binascii.Error, ValueError):
            nonce = text = b""
        if len(nonce) == NONCE_BYTES and (_text(nonce), _text(text)) == (parts[3], parts[4]):
            return parts[1], parts[2], nonce, text
    raise Refused("field_unreadable", kind=kind, reason="form")


def _opened(alg: str, key: bytes, nonce: bytes, text: bytes, bound: bytes, kind: str) -> bytes:
    try:
        return cipher_of(alg).decrypt(key, nonce, text, bound)
    except InvalidTag as error:
        raise Refused("field_unreadable", kind=kind, reason="altered") from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
