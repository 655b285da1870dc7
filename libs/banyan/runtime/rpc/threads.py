"""The RPC client for plain threads: `banyan work`, the command line, tests."""

from __future__ import annotations

import queue

from banyan.runtime.rpc.caller import Box, Caller, Client
from banyan.runtime.rpc.calls import Ending
from banyan.runtime.rpc.link import Link
from banyan.wire.rpc import Kind


class _Box(queue.SimpleQueue[Ending]):
    def take(self, timeout_s: float | None) -> Ending | None:
        try:
            return self.get(timeout=timeout_s)
        except queue.Empty:
            return None


class ThreadClient(Client):
    """One connection, shared by all threads of a process; with `wire="stock"` it calls services of stock nameko."""

    def __init__(self, amqp_url: str, *, connection_name: str, wire: Kind = "banyan") -> None:
        self._link = Link(amqp_url, connection_name=connection_name)
        self._caller = Caller(self._link, wire)
        self._link.roles.append(self._caller)
        self._link.start()

    def _box(self) -> Box:
        return _Box()
