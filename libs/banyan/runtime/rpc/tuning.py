"""The one place that knows how py-amqp is built inside; tests/contracts/test_rpc_wire.py fails when that changes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
from amqp import spec
from amqp.method_framing import frame_handler

RECEIVE_BYTES = 1 << 16
HEADER = 2
HEADER_FIXED_BYTES = 12
NOT_UNDERSTOOD = (ValueError, TypeError, ArithmeticError, LookupError, OSError, struct.error, amqp.FrameSyntaxError)
"""What py-amqp raises on properties that it cannot decode: not UTF-8, a date beyond the calendar, an odd table."""


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
        frame_handler=tolerant_frame_handler,
        frame_writer=frame_writer,
    )
    connection.connect()
    read_many_frames_at_once(connection)
    return connection


def tolerant_frame_handler(connection: Any, callback: Callable[..., Any]) -> Callable[[tuple[int, int, bytes]], Any]:
    """py-amqp's frame handler, but a message with undecodable properties or routing key arrives without them.

    Otherwise one such message closes the connection, is delivered again, and so holds the service down for ever.
    """

    def on_method(channel: int, method: tuple[int, int], arguments: bytes, content: Any) -> Any:
        try:
            return callback(channel, method, arguments, content)
        except UnicodeDecodeError:
            if method != spec.Basic.Deliver:
                raise
            return callback(channel, method, without_names(arguments), content)

    handle = frame_handler(connection, on_method)

    def on_frame(frame: tuple[int, int, bytes]) -> Any:
        try:
            return handle(frame)
        except NOT_UNDERSTOOD:
            if frame[0] != HEADER or readable(frame[2]):
                raise
            return handle((HEADER, frame[1], frame[2][:HEADER_FIXED_BYTES] + b"\0\0"))

    return on_frame


def readable(header: bytes) -> bool:
    """Whether py-amqp can decode the properties of this header frame."""
    try:
        amqp.Message().inbound_header(header)
    except NOT_UNDERSTOOD:
        return False
    return True


def without_names(arguments: bytes) -> bytes:
    """The arguments of basic.deliver with an empty exchange and routing key; the consumer's tag is our own."""
    return bytes(arguments[: 4 + 1 + arguments[4] + 8 + 1]) + b"\0\0"


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
