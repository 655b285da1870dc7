"""What the RPC tests start and how they call: a server process, and one way to call through all three clients."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.asyncio_ import AsyncClient
from banyan.runtime.rpc.threads import ThreadClient
from banyan.wire.rpc import json_bytes

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE_S = 30.0


def environment() -> dict[str, str]:
    """The environment of a child that imports banyan, and flushes what it prints."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'libs'}:{ROOT}", "PYTHONUNBUFFERED": "1"}


def wait_until(true: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Polls until true; fails with what was awaited."""
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.01)


class ServerProcess:
    """A process of rpc_server_program.py; its ledger lists what handlers began and ended."""

    def __init__(self, url: str, folder: Path, *, max_workers: int = 20, name: str = "server") -> None:
        self.ledger, self.folder = folder / "ledger", folder
        self.ledger.touch()
        self.log = folder / f"{name}.log"
        arguments = [str(HERE / "rpc_server_program.py"), url, str(self.ledger), str(max_workers)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], env=environment(), stdout=out, stderr=out, cwd=ROOT
            )

    def wait_ready(self) -> ServerProcess:
        """Returns when all its services consume."""
        wait_until(lambda: "ready\n" in self.log.read_text() or self.process.poll() is not None, "server ready")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def lines(self) -> list[str]:
        """The ledger."""
        return self.ledger.read_text().splitlines()

    def wait_line(self, line: str) -> None:
        """Returns when the ledger has this line."""
        wait_until(lambda: line in self.lines(), f"ledger line {line!r}")

    def go(self, name: str) -> None:
        """Lets the handler `work` of this name finish."""
        (self.folder / f"go-{name}").touch()

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait_end(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Ends it in any case."""
        self.process.kill()
        self.process.wait()


class Caller(Protocol):
    """One way to call; `start` returns at once."""

    def start(self, service: str, method: str, body: bytes | Mapping[str, Any], **options: Any) -> Future[bytes]: ...

    def close(self) -> None: ...


def call(caller: Caller, service: str, method: str, body: bytes | Mapping[str, Any] = b"null", **options: Any) -> bytes:
    """Calls and waits."""
    return caller.start(service, method, body, **options).result(PATIENCE_S)


class Threads:
    """Through `ThreadClient`."""

    def __init__(self, url: str) -> None:
        self.client = ThreadClient(url, connection_name="rpc test threads")

    def start(self, service: str, method: str, body: bytes | Mapping[str, Any], **options: Any) -> Future[bytes]:
        future: Future[bytes] = Future()

        def run() -> None:
            try:
                future.set_result(self.client.call(service, method, body, **options))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def close(self) -> None:
        self.client.close()


class Asyncio:
    """Through `AsyncClient`, its loop in a thread."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client = asyncio.run_coroutine_threadsafe(self._make(url), self.loop).result(PATIENCE_S)

    async def _make(self, url: str) -> AsyncClient:
        return AsyncClient(url, connection_name="rpc test asyncio")

    def start(self, service: str, method: str, body: bytes | Mapping[str, Any], **options: Any) -> Future[bytes]:
        return asyncio.run_coroutine_threadsafe(self.client.call(service, method, body, **options), self.loop)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.client.close(), self.loop).result(PATIENCE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


class Green:
    """Through `GreenClient`, in a process of its own, for this one is not green."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "rpc_green_caller_program.py"), url],
            env=environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.futures: dict[int, Future[bytes]] = {}
        self.numbers = itertools.count()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def start(self, service: str, method: str, body: bytes | Mapping[str, Any], **options: Any) -> Future[bytes]:
        number, future = next(self.numbers), Future[bytes]()
        self.futures[number] = future
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([number, service, method, json_bytes(body).decode(), options]) + "\n")
        self.process.stdin.flush()
        return future

    def _read(self) -> None:
        for line in self.process.stdout or ():
            ending = json.loads(line)
            future = self.futures.pop(ending["number"])
            if "code" in ending:
                future.set_exception(Refused(ending["code"], **ending["facts"]))
            else:
                future.set_result(ending["result"].encode())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(PATIENCE_S) == 0
        self.reader.join()


CALLERS: dict[str, Callable[[str], Caller]] = {"threads": Threads, "green": Green, "asyncio": Asyncio}
