"""Cursors of lists: where the last page ended, opaque to whoever carries it back."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from banyan.kernel.refusal import Refused


def closed(*last: str) -> str:
    """The cursor behind the last row of a page."""
    return urlsafe_b64encode(msgspec.json.encode(last)).rstrip(b"=").decode()


def opened(cursor: str | None, parts: int = 1) -> tuple[str, ...]:
    """The values of the last row; none yet means empty ones. Refuses `bad_input` for what is no cursor of ours."""
    if cursor is None:
        return ("",) * parts
    try:
        values = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=tuple[str, ...])
    except (ValueError, msgspec.MsgspecError):
        values = ()
    if len(values) != parts:
        raise Refused("bad_input", field="next", detail="not a cursor of this list")
    return values
