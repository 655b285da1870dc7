"""The one place that knows how py-amqp is built inside; tests/contracts/test_rpc_wire.py fails when that changes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp

RECEIVE_BYTES = 1 << 16


class Connection(amqp.Connection):  # type: ignore[misc]
    """A connection that never reads while it publishes.

    With the capability `connection.blocked`, py-amqp drains the socket before every publish; beside a reader that
    corrupts the frames. `negotiate_capabilities` is its public attribute for not asking for it.
    """

    negotiate_capabilities = {**amqp.Connection.negotiate_capabilities, "connection.blocked": False}


def connect(url: str, connection_name: str, heartbeat_s: int, frame_writer: Callable[..., Any]) -> Connection:
    """An open connection to `amqp://user:password@host:port/vhost`, its socket blocking, one read for many frames."""
    parts = urlsplit(url)
    if parts.scheme != "amqp":
        raise ValueError(f"amqp:// expected, not {parts.scheme}://")
    connection = Connection(
        host=f"{parts.hostname or 'localhost'}:{parts.port or 5672}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=unquote(parts.path[1:]) or "/",
        heartbeat=heartbeat_s,
        connect_timeout=5,
        client_properties={"connection_name": connection_name, "product": "Banyan"},
        frame_writer=frame_writer,
    )
    connection.connect()
    read_many_frames_at_once(connection)
    return connection


def read_many_frames_at_once(connection: Any) -> None:
    """Private in py-amqp: its transport asks the socket for 7 bytes, a frame, 1 byte; now it gets what is there."""
    transport = connection.transport
    receive = transport._quick_recv
    transport._quick_recv = lambda _bytes: receive(RECEIVE_BYTES)


def wake(connection: Any) -> None:
    """Shuts the socket down, so that a reader that waits on it returns; nothing to do when it is down."""
    try:
        connection.transport.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):
        return
