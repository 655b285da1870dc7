"""The RPC client for plain threads: `banyan work`, the command line, tests."""

from __future__ import annotations

import queue

from banyan.runtime.rpc.caller import Box, Caller, Client
from banyan.runtime.rpc.calls import Ending
from banyan.runtime.rpc.link import Link


class _Box(queue.SimpleQueue[Ending]):
    def take(self, timeout_s: float | None) -> Ending | None:
        try:
            return self.get(timeout=timeout_s)
        except queue.Empty:
            return None


class ThreadClient(Client):
    """One connection, shared by all threads of a process; `stock=True` also readies it for `wire="stock"` calls."""

    def __init__(self, amqp_url: str, *, connection_name: str, stock: bool = False) -> None:
        self._link = Link(amqp_url, connection_name=connection_name)
        self._caller = Caller(self._link, stock=stock)
        self._link.roles.append(self._caller)
        self._link.start()

    def _box(self) -> Box:
        return _Box()
