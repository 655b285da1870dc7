"""The one connection of a green process, with corked writes, and the client that calls over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import eventlet
from eventlet.event import Event
from eventlet.semaphore import Semaphore

from banyan.runtime.rpc.caller import Box, Caller, Client
from banyan.runtime.rpc.calls import Ending
from banyan.runtime.rpc.link import Link

CHUNK_BYTES = 1 << 18
FLUSH_POLL_S = 0.005


class Cork:
    """A `Writer` for green threads: the frames of one turn of the hub leave in one send, by a greenlet of its own."""

    def __init__(self, transport: Any, written: int, on_room: Callable[[], None]) -> None:
        self.written = self.sent = written
        self._transport, self._on_room = transport, on_room
        self._backlog = bytearray()
        self._stopped = False
        self._filled = Semaphore(0)
        self._greenlet = eventlet.spawn(self._run)

    def write(self, frame: Any) -> None:
        """Takes one frame; raises OSError when the link is lost."""
        if self._stopped:
            raise OSError("link lost")
        if not self._backlog:
            self._filled.release()
        self._backlog += frame
        self.written += len(frame)

    def stop(self) -> None:
        """The link is lost: nothing more leaves."""
        self._stopped = True
        self._greenlet.kill()

    def _run(self) -> None:
        while True:
            self._filled.acquire()
            data, self._backlog = memoryview(self._backlog), bytearray()
            crowded = len(data) > CHUNK_BYTES
            try:
                for start in range(0, len(data), CHUNK_BYTES):
                    part = data[start : start + CHUNK_BYTES]
                    self._transport.write(part)
                    self.sent += len(part)
            except (OSError, AttributeError):
                # The reader sees the same broken socket and connects again.
                self._stopped = True
                return
            if crowded:
                self._on_room()


class GreenLink(Link):
    """The link of a green process, shared by its server and its clients: one connection a process."""

    writer_class = Cork
    _shared: dict[str, GreenLink] = {}

    def __init__(self, amqp_url: str, *, connection_name: str) -> None:
        super().__init__(amqp_url, connection_name=connection_name)
        self.users = 0
        self.caller = Caller(self)
        self.roles.append(self.caller)

    @classmethod
    def shared(cls, amqp_url: str, *, connection_name: str) -> GreenLink:
        """The process's link to this broker; each `shared` is answered by one `release`."""
        link = cls._shared.get(amqp_url)
        if link is None:
            link = cls._shared[amqp_url] = cls(amqp_url, connection_name=connection_name)
        link.users += 1
        return link

    def flush(self, timeout_s: float) -> None:
        """Returns when everything written has left, or the time is over."""
        with eventlet.Timeout(timeout_s, False):
            while self.sent < self.written:
                eventlet.sleep(FLUSH_POLL_S)

    def release(self) -> None:
        """Closes the link when its last user has gone."""
        self.users -= 1
        if self.users == 0:
            self._shared.pop(self.amqp_url, None)
            self.close()
            self.caller.calls.close()


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
    """The client for green threads; shares its process's connection with the server, and connects when it calls."""

    def __init__(self, amqp_url: str, *, connection_name: str) -> None:
        self._link = self._green = GreenLink.shared(amqp_url, connection_name=connection_name)
        self._caller = self._green.caller

    def close(self) -> None:
        """Gives the connection back; the last one closes it and ends its pending calls."""
        self._green.release()

    def _box(self) -> Box:
        self._link.start()
        return _Box()
