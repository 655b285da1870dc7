"""A TCP proxy that stands between a client and a server and spoils the line on command."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65536
RESET = struct.pack("ii", 1, 0)  # linger on, zero seconds: close sends RST instead of FIN


class TcpProxy:
    """Listens on a free loopback port (`.port`) and carries bytes to `target_port` on 127.0.0.1.

    `let_pass()` carries, `cut()` resets all connections and every new one, `stall()` keeps them open and carries
    nothing until told otherwise (nothing is lost), `delay(seconds)` holds every piece back that long."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self._delay_s = 0.0
        self._cutting = threading.Event()
        self._moving = threading.Event()
        self._moving.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def let_pass(self) -> None:
        """Carries bytes as they come, the stalled ones first."""
        self._delay_s = 0.0
        self._cutting.clear()
        self._moving.set()

    def cut(self) -> None:
        """Resets every connection now and each new one at once, until `let_pass`."""
        self._cutting.set()
        self._moving.set()
        self.reset_all()

    def stall(self) -> None:
        """Keeps the connections open and carries nothing, until `let_pass`."""
        self._cutting.clear()
        self._moving.clear()

    def delay(self, seconds: float) -> None:
        """Holds each piece back this long, in both directions."""
        self._delay_s = seconds
        self._cutting.clear()
        self._moving.set()

    def reset_all(self) -> None:
        """Resets the connections of this moment; new ones are served."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _reset(end)

    def close(self) -> None:
        """Ends the proxy and all its connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._moving.wait()
        if self._cutting.is_set():
            return _reset(client)
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            return _reset(client)
        with self._lock:
            self._open |= {client, server}
        if self._cutting.is_set():
            return self.reset_all()
        threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
        return self._pump(server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(CHUNK_BYTES):
                if self._delay_s:
                    time.sleep(self._delay_s)
                self._moving.wait()
                if self._cutting.is_set():
                    break
                sink.sendall(piece)
            self._end(source, sink)
        except OSError:
            self._drop(source, sink)

    def _end(self, source: socket.socket, sink: socket.socket) -> None:
        with self._lock:
            if source in self._open:  # else we reset it ourselves, and a FIN now would reach the peer before the RST
                sink.shutdown(socket.SHUT_WR)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(ends)
        for end in ends:
            _reset(end)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    with suppress(OSError):
        end.shutdown(socket.SHUT_RD)  # wakes a thread that reads; a bare close would leave it waiting
    end.close()
