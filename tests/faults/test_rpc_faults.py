"""RPC under faults that really happen: the broker killed, frozen, cut off; the server killed, stopped in its work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.calls import now_ms
from banyan.testkit.servers import PrivateRabbit, TcpProxy
from tests.flows.rpc_processes import CALLERS, PATIENCE_S, Caller, ServerProcess, call, wait_until

Start = Callable[..., ServerProcess]
UNSURE = ("outcome_unknown", "unknown_service")


@pytest.fixture
def start(vhost: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a server process; all end with the test."""
    started: list[ServerProcess] = []

    def one(url: str = vhost, max_workers: int = 20) -> ServerProcess:
        started.append(ServerProcess(url, tmp_path, max_workers=max_workers, name=f"server{len(started)}"))
        return started[-1].wait_ready()

    yield one
    for process in started:
        process.close()


@pytest.fixture(params=sorted(CALLERS))
def caller(request: pytest.FixtureRequest, vhost: str) -> Iterator[Caller]:
    one = CALLERS[request.param](vhost)
    yield one
    one.close()


@pytest.fixture
def threads(vhost: str) -> Iterator[Caller]:
    one = CALLERS["threads"](vhost)
    yield one
    one.close()


def code_of(future: Future[bytes]) -> str:
    """How a call ended: `ok` or the code of its refusal; anything else is a failure of the test."""
    try:
        future.result(PATIENCE_S)
    except Refused as refused:
        return refused.code
    return "ok"


def test_the_broker_is_killed_under_load_and_all_come_back_by_themselves(
    rabbit: PrivateRabbit, start: Start, caller: Caller
) -> None:
    server = start()
    endings: list[str] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            endings.append(code_of(caller.start("main", "echo", b"1", timeout_s=5)))

    workers = [threading.Thread(target=load, daemon=True) for _ in range(8)]
    for worker in workers:
        worker.start()
    wait_until(lambda: endings.count("ok") > 100, "load before the kill")
    rabbit.kill()
    rabbit.start()
    before = endings.count("ok")
    wait_until(lambda: endings.count("ok") > before + 200, "load after the restart")
    stop.set()
    for worker in workers:
        worker.join(PATIENCE_S)
    assert set(endings) <= {"ok", *UNSURE}
    assert server.process.poll() is None


def test_a_call_in_flight_when_the_link_breaks_has_an_unknown_outcome_at_once(
    vhost: str, start: Start, rabbit: PrivateRabbit
) -> None:
    server = start()
    with TcpProxy(rabbit.port) as proxy:
        for kind, make in CALLERS.items():
            caller = make(through(vhost, proxy))
            future = caller.start("main", "work", {"name": kind}, timeout_s=PATIENCE_S)
            server.wait_line(f"begin {kind} False")
            proxy.reset_all()
            assert code_of(future) == "outcome_unknown"
            assert call(caller, "main", "echo", b"5") == b"5"
            server.go(kind)
            caller.close()


def through(vhost: str, proxy: TcpProxy) -> str:
    """The vhost's address through the proxy."""
    return vhost.replace(f":{urlsplit(vhost).port}/", f":{proxy.port}/")


def test_calls_made_while_cut_off_wait_for_the_link_or_say_that_nothing_happened(
    vhost: str, start: Start, rabbit: PrivateRabbit
) -> None:
    start()
    with TcpProxy(rabbit.port) as proxy:
        for make in CALLERS.values():
            caller = make(through(vhost, proxy))
            assert call(caller, "main", "echo", b"1") == b"1"
            proxy.cut()
            short = [caller.start("main", "echo", b"2", timeout_s=0.3) for _ in range(5)]
            long = [caller.start("main", "echo", b"%d" % n, timeout_s=PATIENCE_S) for n in range(5)]
            # The first of them may have been written just before the client saw the cut.
            assert {code_of(one) for one in short} <= set(UNSURE)
            assert code_of(caller.start("main", "echo", b"3", timeout_s=0.3)) == "unknown_service"
            proxy.let_pass()
            assert {code_of(one) for one in long} <= {"ok", "outcome_unknown"}
            assert call(caller, "main", "echo", b"4", timeout_s=PATIENCE_S) == b"4"
            caller.close()


def test_a_frozen_broker_holds_no_caller_beyond_its_deadline(
    rabbit: PrivateRabbit, start: Start, caller: Caller
) -> None:
    start()
    body = b'"%b"' % (b"x" * 1_000_000)
    assert call(caller, "main", "echo", body) == body
    rabbit.freeze()
    try:
        futures = [caller.start("main", "echo", body, timeout_s=1) for _ in range(40)]
        assert {code_of(one) for one in futures} <= set(UNSURE)
    finally:
        rabbit.thaw()
    assert call(caller, "main", "echo", body, timeout_s=PATIENCE_S) == body


def test_a_killed_servers_work_goes_to_another_marked_as_redelivered(start: Start, threads: Caller) -> None:
    first = start()
    future = threads.start("main", "work", {"name": "a"}, timeout_s=PATIENCE_S)
    first.wait_line("begin a False")
    first.close()
    second = start()
    second.wait_line("begin a True")
    second.go("a")
    assert future.result(PATIENCE_S) == b'"done"'


def test_a_redelivered_call_past_its_deadline_is_not_executed(start: Start, threads: Caller) -> None:
    first = start()
    deadline_ms = now_ms() + 1_500
    future = threads.start("main", "work", {"name": "b"}, deadline_ms=deadline_ms)
    first.wait_line("begin b False")
    wait_until(lambda: now_ms() > deadline_ms, "the deadline")
    first.close()
    second = start()
    assert code_of(future) == "outcome_unknown"
    assert call(threads, "main", "echo", b"1") == b"1"
    assert second.lines() == ["begin b False"]


def test_a_call_whose_deadline_passes_in_the_queue_is_not_executed(start: Start, threads: Caller) -> None:
    server = start(max_workers=1)
    holding = threads.start("main", "work", {"name": "c"}, timeout_s=PATIENCE_S)
    server.wait_line("begin c False")
    late = [threads.start("main", "work", {"name": f"late{n}"}, timeout_s=0.4) for n in range(5)]
    assert {code_of(one) for one in late} == {"outcome_unknown"}
    server.go("c")
    assert holding.result(PATIENCE_S) == b'"done"'
    assert call(threads, "main", "echo", b"1") == b"1"
    assert server.lines() == ["begin c False", "end c"]


def test_sigterm_answers_what_was_taken_and_leaves_the_rest_to_others(start: Start, threads: Caller) -> None:
    first = start(max_workers=2)
    futures = {name: threads.start("main", "work", {"name": name}, timeout_s=PATIENCE_S) for name in "defgh"}
    wait_until(lambda: len(first.lines()) == 2, "two begun")
    taken = [line.split()[1] for line in first.lines()]
    first.terminate()
    wait_until(lambda: "停止接受调用" in first.log.read_text(), "draining")
    second = start()
    wait_until(lambda: len(second.lines()) == 5, "the rest begun elsewhere")
    for name in futures:
        second.go(name)
    assert {future.result(PATIENCE_S) for future in futures.values()} == {b'"done"'}
    assert first.wait_end() == 0
    begun = [line.split()[1] for line in second.lines() if line.startswith("begin")]
    assert sorted(begun) == sorted("defgh"), "no work began twice"
    assert begun[:2] == taken


def test_a_server_started_before_its_broker_serves_when_it_comes(
    rabbit: PrivateRabbit, vhost: str, tmp_path: Path
) -> None:
    rabbit.stop()
    server = ServerProcess(vhost, tmp_path)
    try:
        wait_until(lambda: "重连" in server.log.read_text(), "first attempt refused")
        rabbit.start()
        server.wait_ready()
        server.terminate()
        assert server.wait_end() == 0
    finally:
        server.close()
        if not rabbit.running:
            rabbit.start()


def test_sigterm_without_a_broker_ends_the_server(rabbit: PrivateRabbit, start: Start) -> None:
    server = start()
    rabbit.kill()
    try:
        wait_until(lambda: "重连" in server.log.read_text(), "link lost")
        server.terminate()
        assert server.wait_end() == 0
    finally:
        rabbit.start()
