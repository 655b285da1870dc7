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
from amqp.method_framing import frame_writer

from banyan.runtime.rpc.calls import backoff_s
from banyan.runtime.rpc.tuning import connect, wake
from banyan.runtime.rpc.writers import BACKLOG_LIMIT_BYTES, ThreadWriter, Writer

log = logging.getLogger(__name__)

HEARTBEAT_S = 20
LOST = (OSError, amqp.exceptions.AMQPError, AttributeError, TypeError, ValueError, KeyError)
"""What a py-amqp connection raises when it dies under its user: besides its own errors, those of fields it emptied."""


def bytes_of(message: Any) -> bytes:
    """The body of a py-amqp message, which is text where the sender named an encoding."""
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)


class Role(Protocol):
    """What lives on a link: set up anew on each connection, told when it is lost."""

    def attach(self, connection: Any) -> None:
        """Opens channels and consumers; runs in the reader."""

    def attached(self) -> None:
        """All roles are set up; runs in the reader."""

    def detach(self) -> None:
        """The connection is gone."""

    def room(self) -> None:
        """The writer has sent its backlog."""

    def turn(self) -> None:
        """Called in the reader after each frame, for work that must wait for the broker's answer."""


class Link:
    """A connection that is kept up until `close`. `lock` guards every publish and the moment of loss."""

    writer_class: Callable[[Any, int, Callable[[], None]], Writer] = ThreadWriter

    def __init__(self, amqp_url: str, *, connection_name: str) -> None:
        self.amqp_url, self.connection_name = amqp_url, connection_name
        self.lock = threading.Lock()
        self.roles: list[Role] = []
        self.writer: Writer | None = None
        self._connection: Any = None
        self._closing = threading.Event()
        self._reader: threading.Thread | None = None

    @property
    def sent(self) -> int:
        """How many bytes the kernel has taken, over all connections."""
        return self.writer.sent if self.writer is not None else 0

    @property
    def written(self) -> int:
        """How many bytes were written, over all connections."""
        return self.writer.written if self.writer is not None else 0

    @property
    def has_room(self) -> bool:
        """False while the broker does not read what was written."""
        return self.written - self.sent < BACKLOG_LIMIT_BYTES

    def join(self, role: Role) -> None:
        """Adds a role; a link that is up already connects again, for only a new connection attaches roles."""
        self.roles.append(role)
        wake(self._connection)

    def start(self) -> None:
        """Starts the reader and the heartbeat, once; returns at once."""
        if self._reader is None:
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
        connection = connect(self.amqp_url, self.connection_name, HEARTBEAT_S, self._new_frame_writer)
        self._connection = connection
        for role in self.roles:
            role.attach(connection)
        for role in self.roles:
            role.attached()

    def _new_frame_writer(self, connection: Any, transport: Any) -> Any:
        self.writer = self.writer_class(transport, self.written, self._room)
        return frame_writer(connection, self.writer)

    def _room(self) -> None:
        for role in self.roles:
            role.room()

    def _read(self) -> None:
        connection, roles = self._connection, self.roles
        while not self._closing.is_set():
            connection.blocking_read()
            for role in roles:
                role.turn()

    def _lose(self) -> None:
        with self.lock:
            connection, self._connection = self._connection, None
            if self.writer is not None:
                self.writer.stop()
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
