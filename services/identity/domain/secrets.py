"""How a secret is kept and compared: passwords by scrypt, random secrets by SHA-256, one-time codes by RFC 6238."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from banyan.kernel.costly import costly

SCRYPT_N, SCRYPT_R, SCRYPT_P, HASH_BYTES = 2**14, 8, 5, 32  # OWASP: 16 MiB and five passes; about 0.1 s
CODE_DIGITS, STEP_S = 6, 30


@costly
def kept_password(password: str, salt: str) -> str:
    """scrypt$n$r$p$salt$hash; the salt need not be secret, only different for each."""
    key = Scrypt(salt.encode(), HASH_BYTES, SCRYPT_N, SCRYPT_R, SCRYPT_P).derive(password.encode())
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${salt}${base64.b64encode(key).decode()}"


NOBODY = f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}$nobody${base64.b64encode(bytes(HASH_BYTES)).decode()}"
"""Compared where there is no account or no password, so that the answer takes as long as ever and is always no."""


@costly
def password_fits(password: str, kept: str | None) -> bool:
    """Whether the password is the kept one; takes the same time where nothing is kept."""
    _, n, r, p, salt, key = (kept or NOBODY).split("$")
    try:
        Scrypt(salt.encode(), HASH_BYTES, int(n), int(r), int(p)).verify(password.encode(), base64.b64decode(key))
    except InvalidKey:
        return False
    return kept is not None


def kept_secret(secret: str) -> str:
    """The hash of 32 or more random bytes; no salt and no work are needed for these."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_fits(secret: str, kept: str | None) -> bool:
    """Whether the secret is the kept one."""
    return hmac.compare_digest(kept_secret(secret), kept or "")


def codes_of(seed: str) -> TOTP:
    """The one-time codes (RFC 6238) of a seed in base32."""
    return TOTP(base64.b32decode(seed), CODE_DIGITS, SHA1(), STEP_S, enforce_key_length=False)


def code_step(code: str, seed: str, at_s: int) -> int | None:
    """The 30-second step of real time whose code this is: now, or one step before or after; None where it is none."""
    totp = codes_of(seed)
    for step in (at_s // STEP_S + shift for shift in (0, -1, 1)):
        try:
            totp.verify(code.encode(), step * STEP_S)
        except InvalidToken:
            continue
        return step
    return None
