"""The fault proxy: what passes, what is reset, what waits and is not lost."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from banyan.testkit.proxy import TcpProxy


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_echo_all, args=(listener,), daemon=True).start()
    with TcpProxy(listener.getsockname()[1]) as between:
        yield between
    listener.close()


def _echo_all(listener: socket.socket) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(peer,), daemon=True).start()


def _echo(peer: socket.socket) -> None:
    try:
        while piece := peer.recv(4096):
            peer.sendall(piece)
    except OSError:
        peer.close()


def _client(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def _first_byte(proxy: TcpProxy) -> bytes:
    with _client(proxy) as client:
        return client.recv(1)


def _says(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return client.recv(4096)


def test_bytes_pass_both_ways(proxy: TcpProxy) -> None:
    with _client(proxy) as client:
        assert _says(client, b"hello") == b"hello"


def test_a_cut_resets_the_open_connection_and_each_new_one(proxy: TcpProxy) -> None:
    with _client(proxy) as client:
        assert _says(client, b"x") == b"x"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionResetError):  # while it connects or when it first reads
        _first_byte(proxy)
    proxy.let_pass()
    with _client(proxy) as client:
        assert _says(client, b"again") == b"again"


def test_a_stall_carries_nothing_and_loses_nothing(proxy: TcpProxy) -> None:
    with _client(proxy) as client:
        assert _says(client, b"x") == b"x"
        proxy.stall()
        client.sendall(b"late")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(4)
        proxy.let_pass()
        client.settimeout(10)
        assert client.recv(4) == b"late"


def test_a_delay_holds_every_piece_back(proxy: TcpProxy) -> None:
    with _client(proxy) as client:
        proxy.delay(0.1)
        began = time.monotonic()
        assert _says(client, b"x") == b"x"
        assert time.monotonic() - began >= 0.2  # there and back
