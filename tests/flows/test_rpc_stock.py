"""Stock nameko may call us and we may call it, over its own wire."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.threads import ThreadClient
from tests.flows.rpc_processes import HERE, ROOT, ServerProcess, environment

PROGRAM = [sys.executable, "-W", "ignore", str(HERE / "rpc_stock_program.py")]


@pytest.fixture
def stock_server(vhost: str) -> Iterator[None]:
    process = subprocess.Popen([*PROGRAM, "server", vhost], env=environment(), cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == ["ready", True]
        yield
    finally:
        process.kill()
        process.wait()


def test_a_stock_client_calls_us(vhost: str, tmp_path: Path) -> None:
    server = ServerProcess(vhost, tmp_path)
    try:
        server.wait_ready()
        done = subprocess.run(
            [*PROGRAM, "caller", vhost],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        server.close()
    assert done.returncode == 0, done.stderr
    lines: list[list[Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    described = dict(lines[2:3])["described"]
    assert (described["token"], described["key"], described["redelivered"]) == ("tok", "k1", False)
    assert lines[:2] == [["echo", {"名": [1, None]}], ["keyword", 7]]
    assert lines[3:] == [
        ["refuse", ["Refused", 'wrong_state {"n":1}']],
        ["nothing", ["Refused", 'unknown_command {"command":"nothing"}']],
        ["echo", ["Refused", 'bad_input {"reason":"one_argument","args":2,"kwargs":[]}']],
        ["nobody", "UnknownService"],
    ]


def test_we_call_stock_by_its_wire(vhost: str, stock_server: None) -> None:
    client = ThreadClient(vhost, connection_name="rpc test stock", wire="stock")
    try:
        assert client.call("stock", "twice", b"21") == b"42"
        for method, code in (("missing", "unknown_command"), ("fail", "internal")):
            with pytest.raises(Refused) as caught:
                client.call("stock", method, b"{}")
            assert caught.value.code == code
        assert caught.value.facts["value"] == "stock is broken"
        with pytest.raises(Refused) as caught:
            client.call("nobody", "twice", b"1")
        assert caught.value.code == "unknown_service"
    finally:
        client.close()
