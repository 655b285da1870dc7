"""Reading the log: the truth that subscribers, partners and verifiers catch up from, and the heads that are signed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from banyan.kernel.refusal import Refused
from banyan.runtime.commands.audit import instant
from banyan.runtime.events.agreements import Permit
from banyan.vault.keys import SigningUnavailable
from banyan.vault.sign import Signer
from banyan.wire.chain import Head
from banyan.wire.cloudevents import partial, redacted, spliced

READ = "select position, salt, digest, chain, body, type from log where stream = %s and position > %s order by position limit %s"
HEAD = (
    "insert into head (stream, position, signed_at, head) values (%s, %s, %s, %s)"
    " on conflict (stream, position) do update set signed_at = excluded.signed_at, head = excluded.head"
)
LATEST = "select head from head where stream = %s order by position desc limit 1"


def read(connection: Any, stream: str, after: int, limit: int, permit: Permit | None = None) -> list[bytes]:
    """The items after a position, as feeds and queues carry them: stored bytes with their proof spliced in.

    What `permit` does not give is left out so that the chain closes all the same: fields as leaves, events as digests."""
    return [item(stream, row, permit) for row in connection.execute(READ, (stream, after, limit)).fetchall()]


def item(stream: str, row: tuple[Any, ...], permit: Permit | None) -> bytes:
    """One row of the log (position, salt, digest, chain, body, type) as a reader may see it."""
    position, type_ = row[0], row[5]
    salt, digest, link, body = map(bytes, row[1:5])
    if permit is None:
        return spliced(body, salt, digest, link)
    fields = permit.fields(type_)
    if fields is None:
        return redacted(stream, position, digest, link)
    return partial(body, salt, digest, link, fields)


def positions(connection: Any) -> dict[str, int]:
    """The last position of every stream of this service."""
    return dict(connection.execute("select name, position from stream").fetchall())


def latest_head(connection: Any, stream: str) -> bytes:
    """The newest signed head of a stream as JSON; refuses `no_head_yet` where nothing was signed."""
    row = connection.execute(LATEST, (stream,)).fetchone()
    if row is None:
        raise Refused("no_head_yet", stream=stream)
    return str(row[0]).encode()


def sign_heads(connection: Any, signer: Signer, stream_states: list[tuple[str, int, bytes]]) -> int:
    """Signs the present head of each stream, idle ones too; refuses `signing_unavailable` without a readable key."""
    signing = signer.begin()
    now = connection.execute("select now()").fetchone()[0].astimezone(dt.UTC)
    for stream, position, link in stream_states:
        head: Head = signing.head(stream, position, bytes(link), instant(now))
        connection.execute(HEAD, (stream, position, now, msgspec.json.encode(head).decode()))
    return len(stream_states)


__all__ = ["SigningUnavailable", "latest_head", "positions", "read", "sign_heads"]
