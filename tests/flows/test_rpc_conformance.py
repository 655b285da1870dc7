"""One suite for the three clients and the server: every client must end every call in the same way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kernel.refusal import Refused
from banyan.testkit.servers import free_port
from tests.flows.rpc_processes import CALLERS, Caller, ServerProcess, call


@pytest.fixture
def server(vhost: str, tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(vhost, tmp_path)
    try:
        yield process.wait_ready()
    finally:
        process.close()


@pytest.fixture(params=sorted(CALLERS))
def caller(request: pytest.FixtureRequest, vhost: str) -> Iterator[Caller]:
    one = CALLERS[request.param](vhost)
    try:
        yield one
    finally:
        one.close()


def refusal(caller: Caller, *arguments: object, **options: object) -> Refused:
    with pytest.raises(Refused) as caught:
        call(caller, *arguments, **options)  # type: ignore[arg-type]
    return caught.value


def test_the_result_is_the_very_bytes_of_the_handler(server: ServerProcess, caller: Caller) -> None:
    body = '{"name": "王小明",  "n": 12345678901234567890, "x": [1.10, null]}'.encode()
    assert call(caller, "main", "echo", body) == body


def test_a_mapping_travels_as_json(server: ServerProcess, caller: Caller) -> None:
    assert json.loads(call(caller, "main", "echo", {"a": [1, "二"]})) == {"a": [1, "二"]}


def test_token_key_deadline_and_trace_arrive(server: ServerProcess, caller: Caller) -> None:
    deadline_ms = int(time.time() * 1000) + 20_000
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = json.loads(
        call(caller, "other", "describe", {}, token="t", key="k", deadline_ms=deadline_ms, traceparent=trace)
    )
    assert seen == {
        "service": "other", "method": "describe", "body": "{}", "token": "t", "key": "k", "deadline_ms": deadline_ms,
        "traceparent": trace, "redelivered": False,
    }  # fmt: skip


def test_a_refusal_comes_back_with_code_and_facts(server: ServerProcess, caller: Caller) -> None:
    refused = refusal(caller, "main", "refuse", {"code": "wrong_state", "facts": {"state": "草稿", "n": 1}})
    assert (refused.code, dict(refused.facts)) == ("wrong_state", {"state": "草稿", "n": 1})


def test_a_broken_handler_is_internal_under_the_callers_trace(server: ServerProcess, caller: Caller) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    refused = refusal(caller, "main", "fail", traceparent=trace)
    assert (refused.code, refused.facts["trace_id"]) == ("internal", "0af7651916cd43dd8448eb211c80319c")
    assert "broken on purpose" in server.log.read_text()
    assert refusal(caller, "main", "not_json").code == "internal"
    assert call(caller, "main", "echo", b"1") == b"1"


def test_unknown_service_and_method(server: ServerProcess, caller: Caller) -> None:
    assert refusal(caller, "nobody", "echo").code == "unknown_service"
    assert refusal(caller, "main", "nothing").code == "unknown_command"
    assert refusal(caller, "main", "a.b").code == "unknown_command"


def test_sizes(server: ServerProcess, caller: Caller) -> None:
    most = 1 << 20
    assert len(call(caller, "main", "big", {"bytes": most})) == most
    body = b'"%b"' % (b"x" * (most - 2))
    assert call(caller, "main", "echo", body) == body
    assert refusal(caller, "main", "echo", body + b" ").code == "too_large"
    assert refusal(caller, "main", "big", {"bytes": most + 1}).code == "too_large"


def test_a_past_deadline_is_not_sent(server: ServerProcess, caller: Caller) -> None:
    assert refusal(caller, "main", "work", {"name": "late"}, deadline_ms=1_000).code == "deadline_past"
    assert refusal(caller, "main", "work", {"name": "late"}, timeout_s=0).code == "deadline_past"
    assert server.lines() == []


def test_a_call_without_an_answer_in_time_has_an_unknown_outcome(server: ServerProcess, caller: Caller) -> None:
    refused = refusal(caller, "main", "work", {"name": "slow"}, timeout_s=0.5)
    assert (refused.code, refused.facts["reason"]) == ("outcome_unknown", "deadline")
    server.go("slow")
    assert call(caller, "main", "echo", b"2") == b"2"


def test_many_at_once_get_each_its_own_answer(server: ServerProcess, caller: Caller) -> None:
    futures = {n: caller.start("main", "echo", b"%d" % n, timeout_s=30) for n in range(300)}
    assert {n: int(future.result(30)) for n, future in futures.items()} == {n: n for n in range(300)}


def test_a_handler_calls_on_over_the_same_connection(server: ServerProcess, caller: Caller) -> None:
    futures = [caller.start("main", "relay", b"%d" % n, timeout_s=30) for n in range(60)]
    assert [int(future.result(30)) for future in futures] == list(range(60))


def test_namekos_worker_life_cycle_and_context_stay(server: ServerProcess, caller: Caller) -> None:
    call(caller, "main", "echo", b"1", token="tok")
    refusal(caller, "main", "refuse", {"code": "wrong_state", "facts": {}})
    seen = json.loads(call(caller, "main", "lifecycle", b"null"))
    assert seen[:4] == [["setup", "tok"], ["result", None], ["setup", None], ["result", "Refused"]]


@pytest.mark.parametrize("kind", sorted(CALLERS))
def test_without_a_broker_a_call_says_that_nothing_happened(kind: str) -> None:
    caller = CALLERS[kind](f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    try:
        refused = refusal(caller, "main", "echo", timeout_s=0.5)
        assert (refused.code, refused.facts["reason"]) == ("unknown_service", "no_link")
    finally:
        caller.close()
