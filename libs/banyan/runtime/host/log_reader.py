"""Reading other services' logs and heads over RPC: what a subscription catches up from, and a replay begins with."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import structlog

from banyan.kernel.context import Caller, Grant
from banyan.kernel.message import SYSTEM
from banyan.kernel.refusal import Refused
from banyan.runtime.host.app import App, system_token
from banyan.runtime.host.service import PROVINCE
from banyan.runtime.rpc.threads import ThreadClient

log = structlog.get_logger()
TOKEN_S = 120


class LogReader:
    """Reads other services' logs over RPC, under a token of this process."""

    def __init__(self, client: ThreadClient, app: App) -> None:
        self._client, self._app = client, app
        self._token, self._until = "", 0.0

    def fetch(self, stream: str, after: int, limit: int) -> list[bytes]:
        """Items of a stream after a position, as they are stored."""
        body = {"stream": stream, "after": after, "limit": limit}
        reply = self._client.call(stream.split(".", 1)[0], "events_read", body, token=self._sign(), timeout_s=20)
        return [bytes(item) for item in msgspec.json.decode(reply, type=_Items).items]

    def heads(self, streams: Iterable[str]) -> dict[str, int]:
        """The last position of each stream, as its service says; a service that does not answer is left out."""
        found: dict[str, int] = {}
        for service in {stream.split(".", 1)[0] for stream in streams}:
            try:
                reply = self._client.call(service, "events_positions", {}, token=self._sign(), timeout_s=5)
            except Refused as refused:
                log.info("暂未取得事件流位置", service=service, code=refused.code)
                continue
            found.update({name: int(at) for name, at in msgspec.json.decode(reply)["streams"].items()})
        return {stream: found[stream] for stream in streams if stream in found}

    def _sign(self) -> str:
        if time.monotonic() > self._until:
            caller = Caller(account="system:work", grants=(Grant(duty=SYSTEM, division=PROVINCE),))
            self._token, self._until = system_token(self._app.keys, caller), time.monotonic() + TOKEN_S
        return self._token


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]
