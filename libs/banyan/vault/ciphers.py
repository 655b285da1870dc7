"""The ciphers by the name that every ciphertext carries; a name's place never moves, so old texts stay readable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from banyan.kernel.refusal import Refused

NONCE_BYTES = 12
TAG_BYTES = 16


class Aead(Protocol):
    """Authenticated encryption under a 32-byte key; the tag stands at the end of the ciphertext."""

    def encrypt(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes: ...

    def decrypt(self, key: bytes, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        """Raises cryptography's InvalidTag on a wrong key, text or associated data."""
        ...


@dataclass(frozen=True)
class Aes256Gcm:
    """AES-256-GCM (NIST SP 800-38D)."""

    def encrypt(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        return AESGCM(key).encrypt(nonce, plain, bound)

    def decrypt(self, key: bytes, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        return AESGCM(key).decrypt(nonce, text, bound)


@dataclass(frozen=True)
class Sm4Gcm:
    """SM4-GCM (GB/T 32907-2016, RFC 8998); its 16-byte key is derived, so one person's key serves both ciphers."""

    def encrypt(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        return sm4_gcm_encrypt(self._derived(key), nonce, plain, bound)

    def decrypt(self, key: bytes, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        if len(text) < TAG_BYTES:
            raise InvalidTag
        mode = modes.GCM(nonce, text[-TAG_BYTES:])
        opened = Cipher(algorithms.SM4(self._derived(key)), mode).decryptor()
        opened.authenticate_additional_data(bound)
        return opened.update(text[:-TAG_BYTES]) + opened.finalize()

    @staticmethod
    def _derived(key: bytes) -> bytes:
        return hashlib.sha256(b"banyan.sm4." + key).digest()[:16]


def sm4_gcm_encrypt(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """Ciphertext and tag under a raw 16-byte SM4 key."""
    sealed = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    sealed.authenticate_additional_data(bound)
    return sealed.update(plain) + sealed.finalize() + sealed.tag


def sm4_offered() -> bool:
    """Whether the OpenSSL beneath cryptography has SM4-GCM: some distributions leave it out."""
    try:
        sm4_gcm_encrypt(bytes(16), bytes(NONCE_BYTES), b"", b"")
    except UnsupportedAlgorithm:
        return False
    return True


CIPHERS: dict[str, Aead | None] = {"aes-256-gcm": Aes256Gcm(), "sm4-gcm": Sm4Gcm() if sm4_offered() else None}


def cipher_of(alg: str) -> Aead:
    """The cipher of that name; an unknown or absent one is refused, never replaced by another."""
    found = CIPHERS.get(alg)
    if found is None:
        raise Refused("algorithm_unavailable", alg=alg, available=[name for name, known in CIPHERS.items() if known])
    return found
