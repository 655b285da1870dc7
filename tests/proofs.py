"""Streams, audit logs and heads for tests of the proof: every byte of them follows from the arguments."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from banyan.vault.keys import key_id
from banyan.vault.proof import Report
from banyan.vault.sign import SigningPass
from banyan.wire.chain import Head, Proved, extend, genesis
from banyan.wire.cloudevents import event_members, partial, redacted, row_members, spliced

SEED = hashlib.sha256(b"a key for tests only").digest()
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
SIGNING = SigningPass(key_id("signing", SEED), KEY)
PUBLIC_KEYS = {SIGNING.key_id: KEY.public_key().public_bytes_raw()}
SIGNED_AT = "2026-03-01T00:01:00.000000Z"
Members = dict[str, Any]
Shown = Mapping[int, Collection[str]]
DOCS = Path(__file__).resolve().parents[1] / "docs"


def second_verifier() -> ModuleType:
    """docs/verify.py, which knows nothing of banyan."""
    spec = importlib.util.spec_from_file_location("second_verifier", DOCS / "verify.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def salt_of(number: int) -> bytes:
    return hashlib.sha256(f"salt {number}".encode()).digest()[:16]


def event(number: int, stream: str = "registry.person", **data: Any) -> Members:
    """Event `number` of a stream; every second has a personal part."""
    return event_members(
        id=f"01J9Z3K4T0000000000000{number:04}",
        service="registry",
        type="cn.banyan.registry.person.approved.v1",
        subject=f"p-{number}",
        dataschema="https://banyan.example/schemas/registry.person.approved.v1.json",
        stream=stream,
        position=number,
        version=number + 1,
        effective_on="2026-03-01",
        recorded_at=f"2026-03-01T00:00:{number % 60:02}.000000Z",
        known_at=f"2026-03-01T00:00:{number % 60:02}.500000Z",
        data={"person_id": f"p-{number}", "level": "中级", "hours_served_min": 60 * number, "checked": [True, None]}
        | data,
        personal=None if number % 2 else f"sealed {number}".encode(),
        traceparent=None if number % 3 else "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def audit_row(number: int, stream: str = "audit.registry") -> Members:
    row = {
        "at": f"2026-03-01T00:00:{number % 60:02}.000000Z",
        "actor": "acc-7",
        "did": "registry.read_person",
        "on": number,
    }
    return row_members(stream, number, row)


def proved(rows: list[Members], stream: str) -> list[Proved]:
    """What is kept of each row."""
    return extend(genesis(stream), [(salt_of(number), row) for number, row in enumerate(rows, start=1)])


def items(
    rows: list[Members], stream: str = "registry.person", hidden: Collection[int] = (), shown: Shown | None = None
) -> list[bytes]:
    """The rows as they travel; those at the hidden positions as digest only, those in `shown` by these fields only."""
    travelled = []
    for number, (body, digest, chain) in enumerate(proved(rows, stream), start=1):
        if number in hidden:
            travelled.append(redacted(stream, number, digest, chain))
        elif shown and number in shown:
            travelled.append(partial(body, salt_of(number), digest, chain, shown[number]))
        else:
            travelled.append(spliced(body, salt_of(number), digest, chain))
    return travelled


def head_of(rows: list[Members], stream: str = "registry.person", position: int | None = None) -> Head:
    """The signed head of a stream at a position, by default its last."""
    kept = proved(rows[:position], stream)
    return SIGNING.head(stream, len(kept), kept[-1].chain if kept else genesis(stream), SIGNED_AT)


def text_of(travelled: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in travelled)


def what(report: Report) -> tuple[int, str]:
    assert report.bad
    return report.bad.position, report.bad.what


COUNT = 6
ROWS = [event(number) for number in range(1, COUNT + 1)]
WHOLE = items(ROWS)
HEAD = head_of(ROWS)
