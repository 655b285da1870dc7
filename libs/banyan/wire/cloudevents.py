"""The envelope of an event: CloudEvents 1.0 as canonical bytes, and the proof that travels outside the hash."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from banyan.wire.canonical import Unprovable, canonical, decode
from banyan.wire.chain import DIGEST_BYTES, SALT_BYTES

PROOF = ("salt", "digest", "chain")
REDACTED = frozenset({"specversion", "stream", "streamposition", "redacted", "digest", "chain"})


class Sealed(NamedTuple):
    """One item as it travelled, taken apart again; body and salt are None where the reader may not see the event."""

    body: bytes | None
    salt: bytes | None
    digest: bytes
    chain: bytes


def event_bytes(
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
) -> bytes:
    """The bytes of an event that are stored, hashed and never encoded again; `personal` is ciphertext already."""
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
    return canonical(envelope)


def row_bytes(stream: str, position: int, row: Mapping[str, Any]) -> bytes:
    """The bytes of an audit row at its place in `audit.<service>`; it is spliced, parsed and proved as an event is."""
    return canonical({**row, "stream": stream, "streamposition": str(position)})


def spliced(body: bytes, salt: bytes, digest: bytes, chain: bytes) -> bytes:
    """The body with its three proof attributes at the end, as feeds and queues carry it; no byte is re-encoded."""
    salt_text = base64.b64encode(salt).decode()
    return body[:-1] + f',"salt":"{salt_text}","digest":"{digest.hex()}","chain":"{chain.hex()}"}}'.encode()


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


def parse(feed_item: str | bytes | Mapping[str, Any]) -> Sealed:
    """Takes the proof out of an item and gives back the stored bytes; `Unprovable` names what is wrong."""
    item = dict(feed_item) if isinstance(feed_item, Mapping) else decode(feed_item)
    if not isinstance(item, dict):
        raise Unprovable("not_an_object")
    if item.get("redacted") is True:
        if set(item) != REDACTED or item["specversion"] != "1.0":
            raise Unprovable("redacted_form")
        return Sealed(None, None, _hex(item, "digest"), _hex(item, "chain"))
    digest, chain, salt = _hex(item, "digest"), _hex(item, "chain"), _salt(item)
    return Sealed(canonical({name: item[name] for name in item if name not in PROOF}), salt, digest, chain)


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


def _salt(item: Mapping[str, Any]) -> bytes:
    text = item.get("salt")
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != SALT_BYTES or base64.b64encode(found).decode() != text:
        raise Unprovable("salt")
    return found
