"""The one connection of a green process, with corked writes, and the client that calls over it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import eventlet
from amqp.method_framing import frame_writer
from eventlet.event import Event
from eventlet.semaphore import Semaphore

from banyan.runtime.rpc.caller import Box, Caller, Client
from banyan.runtime.rpc.calls import Ending
from banyan.runtime.rpc.link import Link

log = logging.getLogger(__name__)

CORK_LIMIT_BYTES = 4 << 20
"""Above this the broker does not read fast enough: writers wait."""


class Cork:
    """Stands between py-amqp's frame writer and its transport: the frames of one turn of the hub leave in one send.

    `written` counts bytes taken from callers, `sent` bytes that the kernel has, both since the link first connected.
    """

    def __init__(self, connection: Any, transport: Any, written: int) -> None:
        self.written = self.sent = written
        self._transport = transport
        self._buffer = bytearray()
        self._error: Exception | None = None
        self._filled, self._emptied = Semaphore(0), Event()
        self._greenlet = eventlet.spawn(self._run)
        self.write_frame: Callable[..., Any] = frame_writer(connection, self)

    def write(self, frame: Any) -> None:
        """Takes one frame; waits only when the broker does not read."""
        if self._error is not None:
            raise OSError("link lost") from self._error
        if not self._buffer:
            self._filled.release()
        self._buffer += frame
        self.written += len(frame)
        while len(self._buffer) > CORK_LIMIT_BYTES and self._error is None:
            self._emptied.wait()

    def flush(self, timeout_s: float) -> bool:
        """True when everything written has left within `timeout_s`."""
        with eventlet.Timeout(timeout_s, False):
            while self.sent < self.written and self._error is None:
                self._emptied.wait()
        return self.sent >= self.written

    def stop(self) -> None:
        """Ends the writing greenlet; what it had not sent is not counted as sent."""
        self._error = self._error or OSError("link closed")
        self._greenlet.kill()
        self._wake_writers()

    def _run(self) -> None:
        while True:
            self._filled.acquire()
            data, self._buffer = self._buffer, bytearray()
            try:
                self._transport.write(data)
            except Exception as error:
                # The reader sees the same broken socket and connects again.
                self._error = error
                self._wake_writers()
                return
            self.sent += len(data)
            self._wake_writers()

    def _wake_writers(self) -> None:
        emptied, self._emptied = self._emptied, Event()
        emptied.send(None)


class GreenLink(Link):
    """The link of a green process, shared by its server and its clients: one connection a process."""

    _shared: dict[str, GreenLink] = {}

    def __init__(self, amqp_url: str, *, connection_name: str) -> None:
        super().__init__(amqp_url, connection_name=connection_name, writer=self._new_cork)
        self.cork: Cork | None = None
        self.users = 0
        self.caller = Caller(self, written=self._written)
        self.roles.append(self.caller)

    @classmethod
    def shared(cls, amqp_url: str, *, connection_name: str) -> GreenLink:
        """The process's link to this broker; each `shared` is answered by one `release`."""
        link = cls._shared.get(amqp_url)
        if link is None:
            link = cls._shared[amqp_url] = cls(amqp_url, connection_name=connection_name)
        link.users += 1
        return link

    def release(self) -> None:
        """Closes the link when its last user has gone."""
        self.users -= 1
        if self.users == 0:
            self._shared.pop(self.amqp_url, None)
            self.close()
            self.caller.calls.close()

    def _new_cork(self, connection: Any, transport: Any) -> Callable[..., Any]:
        before = self.cork
        if before is not None:
            before.stop()
        self.cork = Cork(connection, transport, before.written if before is not None else 0)
        return self.cork.write_frame

    def _written(self) -> tuple[int, int]:
        return (self.cork.sent, self.cork.written) if self.cork is not None else (0, 0)


class _Box:
    """A caller's place to wait: the ending is put once, by whichever greenlet has it."""

    def __init__(self) -> None:
        self._event = Event()

    def put(self, ending: Ending) -> None:
        """Puts the one ending."""
        self._event.send(ending)

    def take(self, timeout_s: float | None) -> Ending | None:
        """The ending, or None when it did not come in time."""
        ending: Ending | None = self._event.wait(timeout_s)
        return ending


class GreenClient(Client):
    """The client for green threads; shares the connection of the process with its server."""

    def __init__(self, amqp_url: str, *, connection_name: str) -> None:
        self._link = self._green = GreenLink.shared(amqp_url, connection_name=connection_name)
        self._caller = self._green.caller
        self._green.start()

    def close(self) -> None:
        """Gives the connection back; the last one closes it and ends its pending calls."""
        self._green.release()

    def _box(self) -> Box:
        return _Box()
