"""How often one account and one address may ask: a token bucket each, in the memory of this process."""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from starlette.requests import Request

from banyan.kernel.refusal import Refused
from banyan.runtime.host.settings import Settings

REMEMBERED = 50_000
"""Buckets kept; the one that was longest unused goes first, and would be full by then."""


class Bucket:
    """`burst` requests at once, then `rate` a second."""

    __slots__ = ("at_s", "left")

    def __init__(self, at_s: float, left: float) -> None:
        self.at_s, self.left = at_s, left


class Buckets:
    """The buckets of one kind of caller."""

    def __init__(self, rate: int, burst: int, now_s: Callable[[], float]) -> None:
        self._rate, self._burst, self._now_s = rate, burst, now_s
        self._kept: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, who: str) -> None:
        """Takes one; refuses `rate_limited` with the seconds to wait."""
        now_s = self._now_s()
        bucket = self._kept.setdefault(who, Bucket(now_s, self._burst))
        self._kept.move_to_end(who)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now_s - bucket.at_s) * self._rate)
        bucket.at_s = now_s
        if bucket.left < 1:
            raise Refused("rate_limited", retry_after=max(1, -int((bucket.left - 1) // self._rate)))
        bucket.left -= 1


class Limiter:
    """Both limits of a request."""

    def __init__(self, settings: Settings, now_s: Callable[[], float] = time.monotonic) -> None:
        self._accounts = Buckets(settings.http_account_rate, settings.http_account_burst, now_s)
        self._addresses = Buckets(settings.http_address_rate, settings.http_address_burst, now_s)

    def take(self, request: Request) -> None:
        """Counts a request; refuses `rate_limited`. An account that is only claimed counts for its own address, so
        that nobody uses up what belongs to somebody else."""
        address = request.client.host if request.client else ""
        self._addresses.take(address)
        account = claimed_account(request.headers.get("authorization", ""))
        if account:
            self._accounts.take(f"{account} {address}")


class _Subject(msgspec.Struct):
    sub: str = ""


def claimed_account(authorization: str) -> str:
    """The account that a token claims, not verified: the services do that. Empty where none can be read."""
    parts = authorization.partition(" ")[2].strip().split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Subject).sub
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return ""
