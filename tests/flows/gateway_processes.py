"""What the gateway's tests start: stand-in services in a process, and the gateway itself on a real socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from banyan.runtime.host.settings import Settings
from banyan.runtime.rpc.asyncio_ import AsyncClient
from banyan.testkit.detached import free_port
from banyan.testkit.owned import create_vhost, drop_vhost, lent
from services.gateway.app import create
from tests.flows.rpc_processes import HERE, ROOT, environment, wait_until
from tests.instance import Instance

RATES = ("http_account_rate", "http_account_burst", "http_address_rate", "http_address_burst")
FREELY = dict.fromkeys(RATES, 10**6)
TOKEN = {"Authorization": "Bearer good"}


class StandIns:
    """A process of gateway_services_program.py."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder, self.ledger, self.log = folder, folder / "ledger", folder / "services.log"
        self.ledger.touch()
        program = [sys.executable, str(HERE / "gateway_services_program.py"), url, str(self.ledger)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(program, env=environment(), stdout=out, stderr=out, cwd=ROOT)
        wait_until(lambda: "ready\n" in self.log.read_text() or self.process.poll() is not None, "services ready")
        assert self.process.poll() is None, self.log.read_text()

    def calls(self) -> list[tuple[str, str, str | None, str | None, str]]:
        """(service, method, key, traceparent, body) of each call that reached a service."""
        return [tuple(json.loads(line)) for line in self.ledger.read_text().splitlines()]

    def append(self, stream: str, *items: bytes) -> None:
        """Items, a line each, as the log of a stream."""
        with (self.folder / stream).open("ab") as file:
            file.write(b"".join(item + b"\n" for item in items))

    def close(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def gateway(url: str, folder: Path, rates: dict[str, int] = FREELY) -> Iterator[httpx.Client]:
    """The gateway in a thread, and a client of it."""
    settings = Settings(mode="test", amqp_url=url, run=folder / "run", **rates)  # type: ignore[arg-type]
    listening = socket.create_server(("127.0.0.1", 0))
    client = AsyncClient(url, connection_name="gateway under test")

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with client:
            yield

    app = create(settings, client)
    app.router.lifespan_context = lifespan
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "gateway started")
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx.Client(base_url=base, headers=TOKEN, timeout=30, trust_env=False) as http:
            yield http
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def before_sample(platform: Instance, folder: Path) -> Iterator[tuple[str, Path]]:
    """The gateway before the sample service, as a process; its address and its log."""
    port, log = free_port(), folder / "log"
    environment = {**os.environ, **platform.laptop.environment(), "BANYAN_HTTP_PORT": str(port)}
    with log.open("wb") as out:
        program = [sys.executable, str(HERE / "gateway_sample_program.py")]
        process = subprocess.Popen(program, env=environment, cwd=ROOT, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    try:
        platform.wait_until(lambda: _ready(address), "the gateway is ready")
        yield address, log
    finally:
        process.terminate()
        assert process.wait(20) is not None, "it ends in time, whether anybody takes its spans or not"


def _ready(address: str) -> bool:
    try:
        return bool(httpx.get(f"{address}/readyz", trust_env=False).status_code == 200)
    except httpx.TransportError:
        return False


@contextmanager
def stand_ins(rabbit: Any, folder: Path) -> Iterator[tuple[StandIns, str]]:
    """Stand-in services in an empty vhost, and its address."""
    with lent(partial(create_vhost, rabbit.url, rabbit.admin_url), partial(drop_vhost, rabbit.admin_url)) as url:
        services = StandIns(url, folder)
        try:
            yield services, url
        finally:
            services.close()


def key() -> dict[str, str]:
    """A new idempotency key, as a header."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def refusal(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, known to be whole."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem: dict[str, Any] = answer.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["title"] and problem["remedy"] and problem["trace_id"] == answer.headers["traceparent"][3:35]
    return problem
