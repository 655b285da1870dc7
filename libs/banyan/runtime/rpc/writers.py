"""Where frames go on their way out.

A writer never blocks its caller, so a broker that does not read (an alarm, a frozen machine) holds no caller beyond its
deadline; and it knows which bytes the kernel took: the rest was surely not sent.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

BACKLOG_LIMIT_BYTES = 4 << 20
"""Above this no further calls are written: they wait for room."""


class Writer(Protocol):
    """Stands between py-amqp's frame writer and the socket.

    `written` counts bytes taken from callers, `sent` bytes that the kernel has, both since the link was made.
    """

    written: int
    sent: int

    def write(self, frame: Any) -> None:
        """Takes one frame; raises OSError when the link is lost."""

    def stop(self) -> None:
        """The link is lost: nothing more leaves."""


class ThreadWriter:
    """Hands frames to the kernel at once; what it does not take is left to a thread of its own."""

    def __init__(self, transport: Any, written: int, on_room: Callable[[], None]) -> None:
        self.written = self.sent = written
        self._socket: socket.socket = transport.sock
        self._backlog = bytearray()
        self._lock = threading.Lock()
        self._on_room = on_room
        self._stopped = False

    def write(self, frame: Any) -> None:
        """Takes one frame; raises OSError when the link is lost."""
        with self._lock:
            if self._stopped:
                raise OSError("link lost")
            taken = 0 if self._backlog else self._send_now(frame)
            self.written += len(frame)
            self.sent += taken
            if taken < len(frame):
                if not self._backlog:
                    threading.Thread(target=self._empty, name="rpc-writer", daemon=True).start()
                self._backlog += frame[taken:]

    def stop(self) -> None:
        """The link is lost: nothing more leaves."""
        self._stopped = True

    def _send_now(self, data: Any) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def _empty(self) -> None:
        while True:
            with self._lock:
                part = bytes(self._backlog[:BACKLOG_LIMIT_BYTES])
            if not part or self._stopped:
                break
            try:
                taken = self._socket.send(part)
            except OSError:
                self._stopped = True
                return
            with self._lock:
                del self._backlog[:taken]
                self.sent += taken
        self._on_room()
