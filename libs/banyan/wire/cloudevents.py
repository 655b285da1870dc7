"""The envelope of an event: CloudEvents 1.0 as canonical bytes, and the proof that travels outside the hash."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from banyan.wire import chain as proof
from banyan.wire.canonical import Unprovable, canonical, decode
from banyan.wire.chain import DATA, DIGEST_BYTES, LEAVES, PERSONAL, SALT_BYTES

SALTS = "salts"
PROOF = frozenset({"salt", SALTS, LEAVES, "digest", "chain"})
REDACTED = frozenset({"specversion", "stream", "streamposition", "redacted", "digest", "chain"})
EVERY = "*"  # all members of `data`; `personal` is named on its own or not shown


class Sealed(NamedTuple):
    """The proof of one item: how much of it is seen, what it says, and the digest that its content has (None: redacted)."""

    seen: Literal["whole", "partial", "redacted"]
    digest: bytes
    chain: bytes
    found: bytes | None


def event_members(
    *,
    id: str,
    service: str,
    type: str,
    subject: str,
    dataschema: str,
    stream: str,
    position: int,
    version: int,
    effective_on: str,
    recorded_at: str,
    known_at: str,
    data: Mapping[str, Any],
    personal: bytes | None = None,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """An event's members, of which the stored bytes are the canonical form; `personal` is ciphertext already."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": f"/banyan/{service}",
        "type": type,
        "subject": subject,
        "time": recorded_at,
        "datacontenttype": "application/json",
        "dataschema": dataschema,
        "stream": stream,
        "streamposition": str(position),
        "aggregateversion": str(version),
        "effectiveon": effective_on,
        "recordedat": recorded_at,
        "knownat": known_at,
        "data": data if isinstance(data, dict) else dict(data),
    }
    if personal is not None:
        envelope["personal"] = base64.b64encode(personal).decode()
    if traceparent is not None:
        envelope["traceparent"] = traceparent
    return envelope


def row_members(stream: str, position: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an audit row at its place in `audit.<service>`; it is spliced, parsed and proved as an event is."""
    return {**row, "stream": stream, "streamposition": str(position)}


def spliced(body: bytes, salt: bytes, digest: bytes, chain: bytes) -> bytes:
    """The body with its proof attributes at the end, as feeds and queues carry it; no byte is re-encoded."""
    return _with_proof(body, {"salt": _text(salt)}, digest, chain)


def partial(body: bytes, salt: bytes, digest: bytes, chain: bytes, shown: Collection[str]) -> bytes:
    """An event of which only some fields are shown, and leaves stand for the others; all shown: the whole event.

    `shown` names fields; "*" means all but `personal`. The salts given open what is shown and nothing else."""
    if EVERY in shown and (PERSONAL in shown or b'"personal":' not in body):
        return spliced(body, salt, digest, chain)
    envelope, fields = proof.parted(decode(body))
    names = {name for name in fields or () if name in shown or (EVERY in shown and name != PERSONAL)}
    if fields is None or len(names) == len(fields):
        return spliced(body, salt, digest, chain)
    salts = {name: proof.field_salt(salt, name) for name in fields}
    envelope[DATA] = {name: fields[name] for name in names if name != PERSONAL}
    if PERSONAL in names:
        envelope[PERSONAL] = fields[PERSONAL]
    leaves = {name: proof.leaf(salts[name], name, fields[name]) for name in fields if name not in names}
    proofs = {
        "salt": _text(proof.envelope_salt(salt)),
        SALTS: _listed({name: _text(salts[name]) for name in names}),
        LEAVES: _listed(leaves),
    }
    return _with_proof(canonical(envelope), proofs, digest, chain)


def _with_proof(body: bytes, salts: Mapping[str, str], digest: bytes, chain: bytes) -> bytes:
    texts = {**salts, "digest": digest.hex(), "chain": chain.hex()}
    return body[:-1] + "".join(f',"{name}":"{text}"' for name, text in texts.items()).encode() + b"}"


def _text(salt: bytes) -> str:
    return base64.b64encode(salt).decode()


def _listed(texts: Mapping[str, str]) -> str:
    """Names and values in one string, since an attribute of a CloudEvent may not be an object."""
    return " ".join(f"{name}:{text}" for name, text in sorted(texts.items()))


def redacted(stream: str, position: int, digest: bytes, chain: bytes) -> bytes:
    """What a partner gets of an event that its agreement does not permit: enough to close the chain, nothing else."""
    return canonical(
        {
            "specversion": "1.0",
            "stream": stream,
            "streamposition": str(position),
            "redacted": True,
            "digest": digest.hex(),
            "chain": chain.hex(),
        }
    )


def parse(feed_item: str | bytes | Mapping[str, Any], alg: str = "sha-256") -> Sealed:
    """Takes the proof out of an item and computes the digest of its content; `Unprovable` names what is wrong."""
    item = dict(feed_item) if isinstance(feed_item, Mapping) else decode(feed_item)
    if not isinstance(item, dict):
        raise Unprovable("not_an_object")
    if item.get("redacted") is True:
        if set(item) != REDACTED or item["specversion"] != "1.0":
            raise Unprovable("redacted_form")
        return Sealed("redacted", _hex(item, "digest"), _hex(item, "chain"), None)
    digest, chain, salt = _hex(item, "digest"), _hex(item, "chain"), _salt(item, "salt")
    members = {name: item[name] for name in item if name not in PROOF}
    if LEAVES in item or SALTS in item:
        return Sealed("partial", digest, chain, _of_part(item, members, salt, alg))
    return Sealed("whole", digest, chain, proof.digest(salt, members, alg))


def _of_part(item: Mapping[str, Any], members: Mapping[str, Any], salt: bytes, alg: str) -> bytes:
    """The digest of an item that shows some fields: their leaves are made, the others' are given."""
    salts, leaves = _pairs(item, SALTS), _pairs(item, LEAVES)
    envelope, fields = proof.parted(members)
    if fields is None or not fields.keys() <= salts.keys():
        raise Unprovable("fields")
    made = {name: proof.leaf(_salt(salts, name), name, value, alg) for name, value in fields.items()}
    return proof.over(salt, envelope, leaves | made, alg)


def _pairs(item: Mapping[str, Any], name: str) -> dict[str, str]:
    text = item.get(name)
    parts = [part.partition(":") for part in text.split(" ") if part] if isinstance(text, str) else [("", "", "")]
    if not all(colon for _, colon, _ in parts):
        raise Unprovable(name)
    return {word: value for word, _, value in parts}


def _hex(item: Mapping[str, Any], name: str) -> bytes:
    text = item.get(name)
    if isinstance(text, str) and len(text) == 2 * DIGEST_BYTES:
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if found.hex() == text:
            return found
    raise Unprovable(name)


def _salt(item: Mapping[str, Any], name: str) -> bytes:
    text = item.get(name)
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != SALT_BYTES or _text(found) != text:
        raise Unprovable("salt")
    return found
