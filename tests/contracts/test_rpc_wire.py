"""The RPC envelope as bytes, the protocol's endings, and what of py-amqp's inside we lean on."""

from __future__ import annotations

import socket
import struct
from datetime import date
from typing import Any

import amqp
import pytest
from amqp import spec
from amqp.method_framing import frame_handler, frame_writer

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.calls import Calls, Ending, now_ms, result_of
from banyan.runtime.rpc.tuning import Connection, read_many_frames_at_once, tolerant_frame_handler, without_names
from banyan.wire import rpc as wire

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW_MS = 1_800_000_000_000


def decoded(body: bytes, headers: dict[str, Any] | None = None, key: str = "main.echo", **options: Any) -> wire.Call:
    return wire.decode_request("main", key, body, headers or {}, redelivered=False, now_ms=NOW_MS, **options)


def code_of(body: bytes, headers: dict[str, Any] | None = None, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        decoded(body, headers, **options)
    return caught.value.code


def test_a_request_is_stock_namekos_with_the_body_spliced_in() -> None:
    call = wire.Call("main", "echo", b'{"a" :  1.10}', "t", "k", NOW_MS + 5, TRACE)
    body, headers = wire.encode_request(call)
    assert body == b'{"args":[{"a" :  1.10}],"kwargs":{}}'
    assert headers == {
        "nameko.token": "t", "nameko.idempotency_key": "k", "nameko.deadline": NOW_MS + 5, "traceparent": TRACE,
    }  # fmt: skip
    assert decoded(body, headers) == call
    assert wire.context_data(headers) == {"token": "t", "idempotency_key": "k", "deadline": NOW_MS + 5}


@pytest.mark.parametrize("trace", ["00-ab-cd-01", "居民甲", TRACE + "\0", TRACE.upper(), 7, f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_what_is_no_trace_is_passed_over_for_it_would_be_kept_with_the_event(trace: object) -> None:
    assert decoded(b'{"args": [1], "kwargs": {}}', {"traceparent": trace}).traceparent is None


@pytest.mark.parametrize("key", ["a\0b", "钥匙", "k" * 201, "a b"])
def test_a_key_is_a_short_word_of_printable_ascii(key: str) -> None:
    with pytest.raises(Refused) as refused:
        decoded(b'{"args": [1], "kwargs": {}}', {"nameko.idempotency_key": key})
    assert (refused.value.code, refused.value.facts["header"]) == ("bad_input", "nameko.idempotency_key")


def test_a_stock_request_gets_the_default_deadline_and_may_name_its_argument() -> None:
    headers = {"nameko.call_id_stack": ["x"], "nameko.traceparent": TRACE}
    call = decoded(b'{"args": [], "kwargs": {"body": [1]}}', headers)
    assert (call.body, call.deadline_ms) == (b"[1]", NOW_MS + wire.DEFAULT_TIMEOUT_MS)
    assert (call.token, call.key, call.traceparent) == (None, None, TRACE)


def test_what_is_not_a_request_is_refused() -> None:
    good = b'{"args":[1],"kwargs":{}}'
    for body in (b"", b"\xff", b"[]", b"{}", b'{"args":[],"kwargs":{}}', b'{"args":[],"kwargs":{"x":1}}', b"[" * 9999):
        assert code_of(body) == "bad_input"
    assert code_of(good, {"nameko.deadline": "1"}) == "bad_input"
    assert code_of(good, {"nameko.deadline": True}) == "bad_input"
    assert code_of(good, {"nameko.token": b"\xff"}) == "bad_input"
    assert code_of(good, content_type="text/plain") == "bad_input"
    for key in ("rpc-main", "other.echo", "main.", "main.a b", ""):
        assert code_of(good, key=key) == "unknown_command"


def test_one_mebibyte_is_the_limit_both_ways() -> None:
    most = b'"%b"' % (b"x" * (wire.BODY_LIMIT_BYTES - 2))
    body, _ = wire.encode_request(wire.Call("main", "echo", most))
    assert decoded(body).body == most
    assert wire.decode_reply(wire.encode_result(most)) == most
    assert code_of(b'{"args":[%b ],"kwargs":{"x":%b}}' % (most, most)) == "too_large"
    for encode in (wire.encode_result, lambda more: wire.encode_request(wire.Call("main", "echo", more))):
        with pytest.raises(Refused) as caught:
            encode(most + b" ")
        assert caught.value.code == "too_large"


def test_an_answer_and_a_refusal_travel_whole() -> None:
    assert wire.encode_result(b'{"n":1}') == b'{"result":{"n":1},"error":null}'
    assert wire.decode_reply(b'{"error": null, "result": [1,  2]}') == b"[1,  2]"
    with pytest.raises(Refused) as caught:
        wire.decode_reply(wire.encode_refusal(Refused("document_expired", on=date(2026, 1, 31), 原因="过期")))
    assert (caught.value.code, dict(caught.value.facts)) == ("document_expired", {"on": "2026-01-31", "原因": "过期"})


@pytest.mark.parametrize(
    ("error", "code"),
    [("MethodNotFound", "unknown_command"), ("IncorrectSignature", "bad_input"), ("ValueError", "internal")],
)
def test_a_stock_error_becomes_a_refusal_that_names_it(error: str, code: str) -> None:
    reply = b'{"result":null,"error":{"exc_type":"%b","exc_path":"a","exc_args":["x"],"value":"x"}}' % error.encode()
    with pytest.raises(Refused) as caught:
        wire.decode_reply(reply)
    assert (caught.value.code, dict(caught.value.facts)) == (code, {"remote": error, "value": "x"})


def test_a_hostile_answer_is_a_refusal_too() -> None:
    hostile = b'{"error":{"exc_type":"Refused","exc_args":["x",{"code":"y","self":1,"n":2}]}}'
    for reply in (b"", b"rubbish", b'{"error": 5}', hostile):
        with pytest.raises(Refused):
            wire.decode_reply(reply)


class Client:
    """The pure protocol with its endings kept."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.endings: list[Ending] = []

    def open(self, mark: int | None = None, left_ms: int = 60_000) -> Any:
        pending = self.calls.open(wire.Call("main", "echo", b"1", deadline_ms=now_ms() + left_ms), self.endings.append)
        pending.mark = mark
        return pending

    def codes(self) -> list[str]:
        return [ending.code if isinstance(ending, Refused) else "ok" for ending in self.endings]


def test_a_call_ends_once_whatever_comes_after() -> None:
    client = Client()
    pending = client.open(mark=1)
    client.calls.replied(pending.correlation_id, b'{"result":1,"error":null}')
    client.calls.replied(pending.correlation_id, b'{"result":2,"error":null}')
    client.calls.returned(pending.correlation_id)
    client.calls.expire(pending)
    client.calls.lost(10)
    assert [result_of(ending) for ending in client.endings] == [b"1"]
    assert not client.calls.pending


def test_a_lost_link_ends_what_it_sent_and_keeps_what_it_did_not() -> None:
    client = Client()
    client.open(mark=100)
    unsent, waiting = client.open(mark=101), client.open()
    client.calls.lost(sent=100)
    assert client.codes() == ["outcome_unknown"]
    assert client.calls.waiting() == [unsent, waiting]
    client.calls.close()
    assert client.codes() == ["outcome_unknown", "unknown_service", "unknown_service"]


def test_a_sent_call_is_not_taken_again_and_carries_the_time_that_is_left() -> None:
    client = Client()
    pending = client.open(left_ms=5_000)
    outgoing = client.calls.take(pending)
    assert outgoing is not None
    assert (outgoing.routing_key, 0 < outgoing.expiration_ms <= 5_000) == ("main.echo", True)
    pending.mark = 1
    assert client.calls.take(pending) is None
    client.calls.returned(pending.correlation_id)
    assert client.codes() == ["unknown_service"]


def test_strangers_correlation_ids_are_ignored() -> None:
    client = Client()
    client.open(mark=1)
    for stranger in (None, "x", 5, ["a"], {}):
        client.calls.replied(stranger, b"1")
        client.calls.returned(stranger)
    assert client.endings == []


def test_py_amqp_still_takes_from_negotiate_capabilities_that_it_must_not_drain_before_publishing() -> None:
    assert amqp.Connection.negotiate_capabilities["connection.blocked"] is True
    connection = Connection()
    connection.send_method = lambda *_args, **_options: None
    properties = {"capabilities": {"connection.blocked": True, "consumer_cancel_notify": True}}
    connection._on_start(0, 9, properties, "AMQPLAIN PLAIN", "en_US")
    assert connection.client_properties["capabilities"] == {
        "connection.blocked": False, "consumer_cancel_notify": True,
    }  # fmt: skip


def test_py_amqps_transport_still_reads_through_the_function_that_we_replace() -> None:
    near, far = socket.socketpair()
    with near, far:
        transport = amqp.transport.TCPTransport("localhost:1")
        transport.sock = near
        transport._setup_transport()
        reads: list[int] = []

        def receive(size: int) -> bytes:
            reads.append(size)
            return near.recv(size)

        transport._quick_recv = receive
        read_many_frames_at_once(type("Holder", (), {"transport": transport}))
        frame = struct.pack(">BHI", 8, 0, 0) + b"\xce"
        far.sendall(frame * 3)
        assert [transport.read_frame() for _ in range(3)] == [(8, 0, b"")] * 3
        assert len(reads) == 1


def test_py_amqps_frame_writer_still_writes_through_the_transport_it_is_given() -> None:
    written: list[bytes] = []
    transport = type("Transport", (), {"write": staticmethod(lambda data: written.append(bytes(data)))})
    connection = type("Holder", (), {"frame_max": 4096, "bytes_sent": 0})
    frame_writer(connection, transport)(8, 0, None, None, None)
    assert written == [struct.pack(">BHI", 8, 0, 0) + b"\xce"]


def delivered(handler: Any, routing_key: bytes, header_rest: bytes) -> list[Any]:
    """What comes out of a frame handler for one delivery of the body `1`."""
    out: list[Any] = []

    def callback(_channel: int, method: Any, arguments: Any, content: Any) -> None:
        values, _ = amqp.serialization.loads("sLbss", arguments, 4)
        out.append((method, values, content.properties, content.body))

    on_frame = handler(type("Holder", (), {"bytes_recv": 0}), callback)
    arguments = b"\x04main" + struct.pack(">QB", 7, 1) + b"\x01x" + bytes([len(routing_key)]) + routing_key
    on_frame((1, 1, struct.pack(">HH", *spec.Basic.Deliver) + arguments))
    on_frame((2, 1, struct.pack(">HHQ", 60, 0, 1) + header_rest))
    on_frame((3, 1, b"1"))
    return out


NO_PROPERTIES, NOT_UTF8 = b"\0\0", struct.pack(">H", 1 << 10) + b"\x02\xff\xfe"


def test_py_amqp_still_fails_on_what_is_not_utf8_and_our_handler_still_does_not() -> None:
    for key, rest in ((b"main.echo", NOT_UTF8), (b"main.\xff", NO_PROPERTIES)):
        with pytest.raises(UnicodeDecodeError):
            delivered(frame_handler, key, rest)
    assert delivered(tolerant_frame_handler, b"main.echo", NOT_UTF8) == [
        (spec.Basic.Deliver, ["main", 7, True, "x", "main.echo"], {}, b"1")
    ]
    assert delivered(tolerant_frame_handler, b"main.\xff", NO_PROPERTIES) == [
        (spec.Basic.Deliver, ["main", 7, True, "", ""], {}, b"1")
    ]


def test_names_are_cut_from_a_delivery_without_touching_its_tag() -> None:
    arguments = b"\0\x3c\0\x3c" + b"\x02ab" + struct.pack(">QB", 9, 0) + b"\x01x" + b"\x02\xff\xfe"
    assert without_names(arguments) == b"\0\x3c\0\x3c" + b"\x02ab" + struct.pack(">QB", 9, 0) + b"\0\0"


def test_namekos_container_still_has_the_worker_pool_that_we_look_at() -> None:
    from eventlet.event import Event
    from nameko import config
    from nameko.containers import ServiceContainer

    from banyan.runtime.rpc.green_server import has_free_worker, service_class

    may_end = Event()
    call = wire.Call("main", "wait", b"1", deadline_ms=now_ms() + 60_000)
    with config.patch({"max_workers": 1}):
        container = ServiceContainer(service_class("main", lambda _call: may_end.wait(), object))
    container.start()
    assert has_free_worker(container)
    container.spawn_worker(next(iter(container.entrypoints)), (call,), {})
    assert not has_free_worker(container)
    may_end.send(b"1")
    container.stop()
    assert has_free_worker(container)
