"""A green process that calls for the conformance suite: requests as JSON lines in, endings as JSON lines out."""

from __future__ import annotations

from banyan.runtime.rpc import green

green.patch()

import json  # noqa: E402
import sys  # noqa: E402

import eventlet  # noqa: E402
from eventlet import tpool  # noqa: E402

from banyan.kernel.refusal import Refused  # noqa: E402

client = green.GreenClient(sys.argv[1], connection_name="rpc test green caller")


def call(number: int, service: str, method: str, body: str, options: dict) -> None:
    try:
        ending = {"number": number, "result": client.call(service, method, body.encode(), **options).decode()}
    except Refused as refused:
        ending = {"number": number, "code": refused.code, "facts": dict(refused.facts)}
    sys.stdout.write(json.dumps(ending) + "\n")
    sys.stdout.flush()


while line := tpool.execute(sys.stdin.readline):
    eventlet.spawn(call, *json.loads(line))
client.close()
