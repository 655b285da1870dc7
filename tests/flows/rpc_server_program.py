"""A server process for the RPC tests: `python rpc_server_program.py URL LEDGER [max_workers]`; prints `ready`."""

from __future__ import annotations

import json
import sys

from banyan.runtime.rpc import green

green.patch()

import logging  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from nameko.extensions import DependencyProvider  # noqa: E402

from banyan.kernel.refusal import Refused  # noqa: E402
from banyan.wire.rpc import Call  # noqa: E402

URL, LEDGER = sys.argv[1], Path(sys.argv[2])
MAX_WORKERS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
CLIENT = green.GreenClient(URL, connection_name="rpc test server")


class Worked(DependencyProvider):
    """Counts nameko's worker life cycle, to show that it stays."""

    seen: list[Any] = []

    def worker_setup(self, worker_ctx: Any) -> None:
        self.seen.append(("setup", worker_ctx.context_data.get("token")))

    def worker_result(self, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> None:
        self.seen.append(("result", exc_info[0].__name__ if exc_info else None))


class Base:
    worked = Worked()


def note(text: str) -> None:
    """Writes one line at once, so that it survives a kill."""
    with LEDGER.open("a") as ledger:
        ledger.write(text + "\n")


def echo(call: Call) -> bytes:
    return call.body


def describe(call: Call) -> bytes:
    return json.dumps({**asdict(call), "body": call.body.decode()}).encode()


def refuse(call: Call) -> bytes:
    asked = json.loads(call.body)
    raise Refused(asked["code"], **asked["facts"])


def fail(call: Call) -> bytes:
    raise ValueError("broken on purpose")


def not_json(call: Call) -> bytes:
    return {"not": "bytes"}  # type: ignore[return-value]


def big(call: Call) -> bytes:
    return b'"%b"' % (b"x" * (json.loads(call.body)["bytes"] - 2))


def work(call: Call) -> bytes:
    """Notes its beginning, works on until the file of this name appears, notes its end."""
    name = json.loads(call.body)["name"]
    note(f"begin {name} {call.redelivered}")
    while not LEDGER.with_name(f"go-{name}").exists():
        time.sleep(0.01)
    note(f"end {name}")
    return b'"done"'


def relay(call: Call) -> bytes:
    return CLIENT.call("other", "echo", call.body, token=call.token, deadline_ms=call.deadline_ms)


def lifecycle(call: Call) -> bytes:
    return json.dumps(Worked.seen).encode()


METHODS = {one.__name__: one for one in (echo, describe, refuse, fail, not_json, big, work, relay, lifecycle)}


def answer(call: Call) -> bytes:
    method = METHODS.get(call.method)
    if method is None:
        raise Refused("unknown_command", command=call.method)
    return method(call)


logging.basicConfig(level=logging.INFO)
green.green_psycopg()
green.serve(
    {"main": answer, "other": answer},
    URL,
    max_workers=MAX_WORKERS,
    base=Base,
    on_ready=lambda: sys.stdout.write("ready\n"),
)
