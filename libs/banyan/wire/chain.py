"""The proof of a stream: each row's digest, the chain over all digests, the head that is signed (docs/proof.md).

A digest is made of one leaf for each field and the envelope with these leaves, each under a salt of its own: so a reader
of some fields proves what it sees, and learns of the others no more than a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from banyan.kernel.refusal import Refused
from banyan.wire.canonical import Unprovable, canonical, writer

SALT_BYTES = 16
DIGEST_BYTES = 32
GENESIS = "banyan.stream.v1:"
DATA, PERSONAL, LEAVES = "data", "personal", "leaves"

# A name's place does not move; None: agreed upon, but this release does not compute it.
Hash = Callable[[bytes], Any]
HASHES: dict[str, Hash | None] = {"sha-256": hashlib.sha256, "sm3": None}


def hash_of(alg: str) -> Hash:
    """The hash by its name in a head; an unknown or not yet available one is refused, never replaced by another."""
    found = HASHES.get(alg)
    if found is None:
        raise Refused("algorithm_unavailable", alg=alg, available=[name for name, known in HASHES.items() if known])
    return found


def parted(members: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """(envelope, fields): the members of `data` and `personal` are fields; None for a row that has no `data`."""
    if LEAVES in members:
        raise Unprovable(LEAVES)
    if DATA not in members:
        return dict(members), None
    fields = members[DATA]
    if type(fields) is not dict or PERSONAL in fields:
        raise Unprovable(DATA)
    if PERSONAL in members:
        fields = {**fields, PERSONAL: members[PERSONAL]}
    return {name: value for name, value in members.items() if name not in (DATA, PERSONAL)}, fields


def envelope_salt(salt: bytes, alg: str = "sha-256") -> bytes:
    """The envelope's own salt, from the row's; 16 bytes."""
    _require_salt(salt)
    found: bytes = hash_of(alg)(b"envelope" + salt).digest()[:SALT_BYTES]
    return found


def field_salt(salt: bytes, name: str, alg: str = "sha-256") -> bytes:
    """A field's own salt, from the row's: it opens this field and no other; 16 bytes."""
    _require_salt(salt)
    found: bytes = hash_of(alg)(b"field" + salt + name.encode()).digest()[:SALT_BYTES]
    return found


def leaf(salt: bytes, name: str, value: Any, alg: str = "sha-256") -> str:
    """H(field's salt ‖ the field as a canonical object), in hex: what stands for a field that is not shown."""
    _require_salt(salt)
    found: str = hash_of(alg)(salt + canonical({name: value})).hexdigest()
    return found


def over(salt: bytes, envelope: Mapping[str, Any], leaves: Mapping[str, str] | None, alg: str = "sha-256") -> bytes:
    """The digest: H(envelope's salt ‖ canonical envelope with its leaves); 32 bytes."""
    _require_salt(salt)
    members = dict(envelope) if leaves is None else {**envelope, LEAVES: dict(leaves)}
    found: bytes = hash_of(alg)(salt + canonical(members)).digest()
    return found


def digest(salt: bytes, members: Mapping[str, Any], alg: str = "sha-256") -> bytes:
    """The digest of a row that is seen whole, from the row's salt; 32 bytes."""
    return _digest(salt, members, hash_of(alg), writer(members))


def _digest(salt: bytes, members: Mapping[str, Any], hashed: Hash, write: Callable[[Any], bytes]) -> bytes:
    """As `envelope_salt`, `field_salt`, `leaf` and `over` say it, in one go: the relay does this for every event."""
    _require_salt(salt)
    envelope, fields = parted(members)
    if fields is not None:
        leaves, prefix = {}, b"field" + salt
        for name, value in fields.items():
            own = hashed(prefix + name.encode("utf-8", "surrogatepass")).digest()[:SALT_BYTES]
            leaves[name] = hashed(own + write({name: value})).hexdigest()
        envelope[LEAVES] = leaves
    found: bytes = hashed(hashed(b"envelope" + salt).digest()[:SALT_BYTES] + write(envelope)).digest()
    return found


def _require_salt(salt: bytes) -> None:
    if len(salt) != SALT_BYTES:
        raise Unprovable("salt")


def genesis(stream: str, alg: str = "sha-256") -> bytes:
    """chain[0], the link before position 1: no two streams start alike."""
    found: bytes = hash_of(alg)((GENESIS + stream).encode()).digest()
    return found


def link(previous: bytes, digest: bytes, alg: str = "sha-256") -> bytes:
    """chain[n] = H(chain[n-1] ‖ digest[n]), over the raw 32 bytes of both."""
    if len(previous) != DIGEST_BYTES or len(digest) != DIGEST_BYTES:
        raise Unprovable("digest")
    found: bytes = hash_of(alg)(previous + digest).digest()
    return found


class Proved(NamedTuple):
    """A row as it is kept: the canonical bytes, its digest, the chain up to it."""

    body: bytes
    digest: bytes
    chain: bytes


def extend(previous: bytes, rows: Iterable[tuple[bytes, Mapping[str, Any]]], alg: str = "sha-256") -> list[Proved]:
    """What is kept of each (salt, members) that follows `previous`."""
    kept, hashed = [], hash_of(alg)
    for salt, members in rows:
        write = writer(members)
        row = _digest(salt, members, hashed, write)
        previous = link(previous, row, alg)
        kept.append(Proved(write(members), row, previous))
    return kept


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a stream stood and what its chain was, signed: whoever keeps a head can prove all that came before it."""

    stream: str
    position: str
    chain: str
    hash_alg: str
    sign_alg: str
    key_id: str
    signed_at: str
    signature: str = ""


def head_bytes(head: Head) -> bytes:
    """What is signed: the canonical bytes of the head without its signature."""
    members = msgspec.to_builtins(head)
    del members["signature"]
    return canonical(members)
