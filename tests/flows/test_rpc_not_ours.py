"""Messages that are not ours: answered where possible, acknowledged, logged; the process and its queue live on."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import amqp
import pytest

from banyan.runtime.rpc.threads import ThreadClient
from tests.flows.rpc_processes import PATIENCE_S, ServerProcess
from tests.flows.rpc_raw import GOOD, RUBBISH, Raw, scrambled


@pytest.fixture
def server(vhost: str, tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(vhost, tmp_path, max_workers=2)
    try:
        yield process.wait_ready()
    finally:
        process.close()


@pytest.fixture
def raw(vhost: str, server: ServerProcess) -> Iterator[Raw]:
    one = Raw(vhost)
    yield one
    one.connection.close()


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_answered_and_acknowledged(raw: Raw, server: ServerProcess, name: str) -> None:
    body, properties = RUBBISH[name]
    raw.send(body, name=name, **properties)
    assert raw.error(name)[0] == "bad_input"
    alive(raw, server)


def test_a_body_above_the_limit(raw: Raw, server: ServerProcess) -> None:
    raw.send(b'{"args":["%b"],"kwargs":{}}' % (b"x" * (10 << 20)), name="big")
    assert raw.error("big")[0] == "too_large"
    alive(raw, server)


def test_no_reply_to_is_logged_and_not_executed(raw: Raw, server: ServerProcess) -> None:
    raw.send(b'{"args":[{"name":"unasked"}],"kwargs":{}}', key="main.work")
    raw.send(b"rubbish")
    raw.send(b'{"args":[1],"kwargs":{}}', reply_to="no-such-queue", key="main.echo")
    alive(raw, server)
    assert server.lines() == []
    assert server.log.read_text().count("收到不能识别的消息") == 2


def test_random_bytes_never_stop_the_service(raw: Raw, server: ServerProcess) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201
    rng = random.Random(seed)
    for number in range(200):
        raw.send(scrambled(GOOD, rng), name=f"r{number}", key=rng.choice(["main.echo", "main.", "other.x y"]))
    alive(raw, server)


class Odd(amqp.Message):
    """A message whose properties are these very bytes; py-amqp, which would never write them, is bent for it."""

    raw = b""

    def _serialize_properties(self) -> bytes:
        return self.raw


def table(content: bytes) -> bytes:
    return struct.pack(">HI", HEADERS, len(content)) + content


HEADERS, CORRELATION_ID, TIMESTAMP = 1 << 13, 1 << 10, 1 << 6
ODD_PROPERTIES = {
    "correlation_not_utf8": struct.pack(">H", CORRELATION_ID) + b"\x02\xff\xfe",
    "header_name_not_utf8": table(b"\x02\xff\xfeS\0\0\0\x01x"),
    "header_value_not_utf8": table(b"\x01aS\0\0\0\x02\xff\xfe"),
    "header_date_beyond_calendar": table(b"\x01aT" + struct.pack(">Q", 1 << 62)),
    "date_beyond_calendar": struct.pack(">HQ", TIMESTAMP, 1 << 62),
}


@pytest.mark.parametrize("name", ODD_PROPERTIES)
@pytest.mark.parametrize("body", [GOOD, b""], ids=["body", "no_body"])
def test_properties_that_cannot_be_read(raw: Raw, server: ServerProcess, name: str, body: bytes) -> None:
    message = Odd(body)
    message.raw = ODD_PROPERTIES[name]
    raw.channel.basic_publish(message, "nameko-rpc", "main.echo")
    alive(raw, server)
    assert "重连" not in server.log.read_text()


def test_a_routing_key_that_cannot_be_read(raw: Raw, server: ServerProcess) -> None:
    raw.send(GOOD, key=b"main.\xff\xfe", name="odd")  # type: ignore[arg-type]
    assert raw.error("odd")[0] == "unknown_command"
    raw.send(GOOD, key="main." + "方" * 60, name="long")
    assert raw.error("long")[0] == "unknown_command"
    alive(raw, server)
    assert "重连" not in server.log.read_text()


def alive(raw: Raw, server: ServerProcess) -> None:
    """Every worker still works, nothing was left behind, and the process is the same."""
    raw.send(b'{"args":["alive"],"kwargs":{}}', name="alive")
    while "alive" not in raw.answers:
        raw.connection.drain_events(timeout=PATIENCE_S)
    assert raw.answers["alive"] == {"result": "alive", "error": None}
    assert raw.unanswered("rpc-main") == 0
    assert server.process.poll() is None


def test_a_deleted_queue_is_declared_again(vhost: str, raw: Raw, server: ServerProcess) -> None:
    client = ThreadClient(vhost, connection_name="rpc test after delete")
    try:
        assert client.call("main", "echo", b"1") == b"1"
        for _ in range(3):
            raw.channel.queue_delete("rpc-main")
            assert until_answered(client) == b"2"
        assert client.call("other", "echo", b"3") == b"3"
    finally:
        client.close()
    alive(raw, server)


def until_answered(client: ThreadClient) -> bytes:
    """Between the deletion and the new declaration a call says, rightly, that there is no such service."""
    for _ in range(1000):
        try:
            return client.call("main", "echo", b"2")
        except Exception as error:
            assert getattr(error, "code", "") in ("unknown_service", "outcome_unknown"), error  # noqa: PT017
    raise AssertionError("never answered")
