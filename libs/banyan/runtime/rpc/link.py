"""One AMQP connection of a process, over py-amqp: it connects, reads, beats, and connects again for ever.

All waiting reads happen in one thread (or greenlet), the reader; other threads only write. What is set up at each new
connection is given by `Role`s: the calling side and, in a server, the consuming side.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

import amqp

from banyan.runtime.rpc.calls import backoff_s
from banyan.runtime.rpc.tuning import connect, wake

log = logging.getLogger(__name__)

HEARTBEAT_S = 20
LOST = (OSError, amqp.exceptions.AMQPError, AttributeError, TypeError, ValueError, KeyError)
"""What a py-amqp connection raises when it dies under its user: besides its own errors, those of fields it emptied."""


class Role(Protocol):
    """What lives on a link: set up anew on each connection, told when it is lost."""

    def attach(self, connection: Any) -> None:
        """Opens channels and consumers; runs in the reader."""

    def attached(self) -> None:
        """All roles are set up; runs in the reader."""

    def detach(self) -> None:
        """The connection is gone."""

    def turn(self) -> None:
        """Called in the reader after each frame, for work that must wait for the broker's answer."""


class Link:
    """A connection that is kept up until `close`. `lock` guards every write and the moment of loss."""

    def __init__(self, amqp_url: str, *, connection_name: str, writer: Callable[..., Any] | None = None) -> None:
        self.amqp_url, self.connection_name = amqp_url, connection_name
        self.lock = threading.Lock()
        self.roles: list[Role] = []
        self.up = threading.Event()
        self._writer = writer
        self._connection: Any = None
        self._closing = threading.Event()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Starts the reader and the heartbeat; returns at once."""
        self._reader = threading.Thread(target=self._run, name="rpc-reader", daemon=True)
        self._reader.start()
        threading.Thread(target=self._beat, name="rpc-heartbeat", daemon=True).start()

    def close(self, wait_s: float = 5.0) -> None:
        """Closes the connection and stops both threads."""
        self._closing.set()
        with self.lock:
            wake(self._connection)
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(wait_s)

    def _run(self) -> None:
        attempt = 0
        while not self._closing.is_set():
            try:
                self._open()
                attempt = 0
                self._read()
            except LOST as error:
                if not self._closing.is_set():
                    log.warning("与消息服务器的连接断开，%.1f 秒后重连：%r", backoff_s(attempt), error)
            self._lose()
            if not self._closing.wait(backoff_s(attempt)):
                attempt += 1

    def _open(self) -> None:
        connection = connect(self.amqp_url, self.connection_name, HEARTBEAT_S, self._writer)
        self._connection = connection
        for role in self.roles:
            role.attach(connection)
        self.up.set()
        for role in self.roles:
            role.attached()

    def _read(self) -> None:
        connection, roles = self._connection, self.roles
        while not self._closing.is_set():
            connection.blocking_read()
            for role in roles:
                role.turn()

    def _lose(self) -> None:
        with self.lock:
            self.up.clear()
            connection, self._connection = self._connection, None
            for role in self.roles:
                role.detach()
        if connection is not None:
            try:
                connection.collect()
            except LOST as error:
                log.debug("closing a dead connection: %r", error)

    def _beat(self) -> None:
        while not self._closing.wait(HEARTBEAT_S / 4):
            connection = self._connection
            if connection is None:
                continue
            try:
                connection.heartbeat_tick()
            except LOST as error:
                log.warning("消息服务器没有心跳，断开重连：%r", error)
                wake(connection)
