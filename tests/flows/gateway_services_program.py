"""Services that answer by their contracts alone, for tests: `python gateway_services_program.py URL LEDGER`.

Every body is decoded by its contract, so bad ones are refused as the real services refuse them; the answer is the
smallest that its type allows. Tokens are `good` or missing. What came with a call is noted in the ledger.
"""

from __future__ import annotations

import json
import sys

from banyan.runtime.rpc import green

green.patch()

import hashlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import msgspec  # noqa: E402

from banyan.contracts import frame  # noqa: E402
from banyan.kernel.message import ANYONE, Bulk, Command, Query, contracts  # noqa: E402
from banyan.kernel.refusal import Refused  # noqa: E402
from banyan.wire.bodies import decoded  # noqa: E402
from banyan.wire.rpc import Call  # noqa: E402
from services.gateway.operations import words  # noqa: E402
from tests.flows.smallest import smallest  # noqa: E402

URL, LEDGER = sys.argv[1], Path(sys.argv[2])
GOOD = "good"
REFUSE = "refuse:"
FAR = "2999-01-01T00:00:00Z"


def note(call: Call) -> None:
    with LEDGER.open("a") as ledger:
        ledger.write(json.dumps([call.service, call.method, call.key, call.traceparent, call.body.decode()]) + "\n")


def events_read(call: Call) -> bytes:
    """What lies in the stream's file beside the ledger, a line an item, each with white space that nobody may lose."""
    asked = json.loads(call.body)
    stream = asked.get("stream", f"audit.{call.service}")
    if stream not in os.listdir(LEDGER.parent):
        raise Refused("not_found", stream=stream)
    file = LEDGER.with_name(stream)
    lines = file.read_bytes().splitlines()
    after = asked.get("after", 0)
    return b'{"items":[%b],"head":"%d"}' % (b",".join(lines[after : after + asked.get("limit", 200)]), len(lines))


def read_file(call: Call) -> bytes:
    """One part of the file beside the ledger that bears the record's name."""
    asked = json.loads(call.body)
    id = next(asked[name] for name in ("export_id", "import_id", "run_id") if name in asked)
    if id not in os.listdir(LEDGER.parent):
        raise Refused("not_found", id=id)
    content, start = LEDGER.with_name(id).read_bytes(), asked.get("part", 0) * frame.FILE_PART_BYTES
    if start >= len(content):
        raise Refused("past_the_end", size=len(content))
    part = frame.FilePart(
        name="服务需求清单-福建省.xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        part=asked.get("part", 0),
        content=content[start : start + frame.FILE_PART_BYTES],
    )
    return msgspec.json.encode(part)


def log_in(call: Call) -> bytes:
    asked = json.loads(call.body)
    state = "open" if asked.get("password", asked.get("client_secret")) == "right" else "refused"
    return json.dumps({"id": "s1", "version": 1, "state": state}).encode()


def refresh(call: Call) -> bytes:
    asked = json.loads(call.body)
    if asked["secret"] != "x" * 43:
        raise Refused("not_found")
    return json.dumps({"id": asked["session_id"], "version": 2, "state": "open"}).encode()


def issue_token(call: Call) -> bytes:
    return json.dumps({"token": GOOD, "expires_at": FAR, "account_id": "a1"}).encode()


def refuse(call: Call) -> bytes:
    """A question whose answer is whatever refusal the test names in `name`: "refuse:<code> <facts>"."""
    code, _, facts = json.loads(call.body)["name"].removeprefix(REFUSE).partition(" ")
    raise Refused(code, **json.loads(facts or "{}"))


OWN = {
    "read_export": read_file,
    "read_refused_rows": read_file,
    "read_run_inputs": read_file,
    "read_run_certificate": read_file,
    "events_read": events_read,
    "events_snapshot": lambda call: b'{"items": [], "head": {}, "asked": %b}' % call.body,
    "audit_read": events_read,
    "log_in": log_in,
    "client_credentials": log_in,
    "refresh": refresh,
    "issue_token": issue_token,
}


def asks_of(service: str) -> dict[str, Any]:
    found = {c.method(): c for kind in (Command, Query) for c in contracts(words()[service], kind)}
    return found | {q.method(): q for q in contracts(frame, Query)}


ASKS = {service: asks_of(service) for service in words()}


def answer(call: Call) -> bytes:
    ask = ASKS[call.service].get(call.method)
    if ask is None:
        raise Refused("unknown_command", service=call.service, method=call.method)
    note(call)
    decoded(call.body, ask)
    if call.token not in (None, GOOD):
        raise Refused("unauthenticated", reason="forged")
    if ANYONE not in ask.may and call.token is None:
        raise Refused("unauthenticated", reason="missing")
    if issubclass(ask, Command) and not call.key:
        raise Refused("key_missing")
    if call.method == "find_figures" and str(json.loads(call.body).get("name")).startswith(REFUSE):
        return refuse(call)
    if call.method in OWN:
        return OWN[call.method](call)
    return b'{"items":[]}' if issubclass(ask, Bulk) else smallest(ask.answer)


logging.basicConfig(level=logging.INFO)
green.serve(
    dict.fromkeys(words(), answer),
    URL,
    max_workers=20,
    on_ready=lambda: sys.stdout.write("ready\n"),
)
