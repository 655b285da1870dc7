"""What the demo proves about its streams: each whole under its signed head, as a partner reads it over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from banyan.demo.api import Actor, Api, Problem
from banyan.demo.stage import Stage
from banyan.vault.keys import KeyFolder
from banyan.vault.proof import verify
from banyan.wire.chain import Head

PAGE, HEAD_WAIT_S = 500, 90.0


def streams(stage: Stage, keys: KeyFolder) -> list[dict[str, Any]]:
    """Each stream as a partner reads it over HTTP: name, position, the signed head's position, whether it is whole."""
    api, partner = stage.api, stage["partner"]
    found = []
    for name, position in sorted(api.get(partner, "/v1/streams").json()["streams"].items()):
        head = _head(api, partner, name, int(position))
        items = list(_items(api, partner, name, int(head.position)))
        report = verify(items, public_keys=keys.public_keys(), head=head)
        found.append(
            {
                "name": name,
                "position": position,
                "head": head.position,
                "verified": report.whole,
                "said": report.sentence,
            }
        )
        stage.progress("逐条验证事件流", len(found), len(found))
    return found


def _head(api: Api, partner: Actor, stream: str, position: int) -> Head:
    """The newest head, waited for until it covers what stands now: heads are signed each minute."""
    until = time.monotonic() + HEAD_WAIT_S
    while True:
        try:
            head = msgspec.json.decode(api.get(partner, f"/v1/streams/{stream}/head").content, type=Head)
            if int(head.position) >= position or time.monotonic() > until:
                return head
        except Problem as problem:
            if problem.code != "no_head_yet" or time.monotonic() > until:
                raise
        time.sleep(1.0)


def _items(api: Api, partner: Actor, stream: str, until: int) -> Iterator[bytes]:
    at = 0
    while at < until:
        answer = api.get(partner, f"/v1/streams/{stream}", after=at, limit=min(PAGE, until - at))
        page = [bytes(item) for item in msgspec.json.decode(answer.content, type=list[msgspec.Raw])]
        if not page:
            return
        yield from page
        at += len(page)
