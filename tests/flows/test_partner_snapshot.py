"""A new partner begins with a snapshot and follows the feed from its head: it ends as one that read everything."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from banyan.runtime.events import log
from banyan.wire.chain import Head
from banyan.wire.cloudevents import parse
from tests.flows.gateway_processes import before_sample
from tests.flows.test_partners import STREAM, grow, items, read, types
from tests.instance import Instance
from tests.partners import PLANTED, THEN, WATERED, agree
from tests.proofs import DOCS, PUBLIC_KEYS, SIGNED_AT, SIGNING

RESTED, WOKEN = "cn.banyan.sample.tree.rested.v1", "cn.banyan.sample.tree.woken.v1"


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def folded(found: list[bytes]) -> dict[str, dict[str, Any]]:
    """A partner's own projection: each tree's last event of each kind, and all of its water."""
    trees: dict[str, dict[str, Any]] = {}
    for item in map(json.loads, found):
        tree = trees.setdefault(item["subject"], {"litres": 0})
        tree["litres"] += item["data"].get("litres", 0)
        tree[item["type"]] = item["data"]
    return trees


def place(item: bytes) -> int:
    return int(json.loads(item)["streamposition"])


def pages(platform: Instance, account: str, limit: int, between: Callable[[], object]) -> tuple[list[bytes], Any]:
    """The items of a snapshot and its head; something happens after each page."""
    found: list[bytes] = []
    page: Any = {"next": ""}
    while page["next"] is not None:
        page = read(platform, account, page["next"], method="events_snapshot", limit=limit)
        found += [json.dumps(item, ensure_ascii=False).encode() for item in page["items"]]
        between()
    return found, page["head"]


def test_a_snapshot_and_what_follows_give_what_the_whole_feed_gives(platform: Instance, name: str) -> None:
    grow(platform)
    tree = platform.command("plant_tree", division="350203001000", label="榕", owner="某人")["id"]

    def rest() -> None:
        platform.command("rest_tree", tree_id=tree, until="2020-01-01")
        with contextlib.suppress(Refused):  # the schedule may have been first
            wake = {"tree_id": tree}
            platform.call("wake_tree", wake, key=uuid.uuid4().hex, token=platform.token("system"))

    for _ in range(4):
        rest()
    platform.command("forget_owner", tree_id=tree)
    end = platform.command("plant_tree", division="350203001000", label="杉")["id"]
    agree(platform.database, name, fields=dict.fromkeys((PLANTED, WATERED, RESTED, WOKEN), ("*", "personal")))
    platform.wait_until(lambda: end in items(platform, name)[-1].decode(), "the events are in the log")
    last = items(platform, name)[-1]
    signed = SIGNING.head(STREAM, place(last), bytes.fromhex(json.loads(last)["chain"]), SIGNED_AT)
    platform.run(log.HEAD, STREAM, place(last), THEN, msgspec.json.encode(signed).decode())

    found, head = pages(platform, name, 3, rest)
    at, places = int(head["position"]), [place(item) for item in found]
    assert at == place(last) == places[-1] and places == sorted(places)
    whole = items(platform, name)
    assert len(whole) > at and folded(found + whole[at:]) == folded(whole) and folded(found) == folded(whole[:at])
    rests = [item for item in found if json.loads(item)["type"] == RESTED and tree in item.decode()]
    assert len(rests) == 1 and len(found) < at, "only the newest rest is left"
    assert any("personal" in json.loads(item) for item in found) and "某人" not in b"".join(found).decode()
    assert all(parse(item).found == parse(item).digest for item in found)
    keys = PUBLIC_KEYS | platform.public_keys()
    assert verify(whole[at:], public_keys=keys, since=msgspec.convert(head, Head)).whole

    agree(platform.database, name, fields={PLANTED: ("division",)})
    partly, _ = pages(platform, name, 500, lambda: None)
    assert types(partly) == {PLANTED} and "榕" not in b"".join(partly).decode()
    for cursor in ("999999-0", f"{at}-{at + 1}", "x"):
        with pytest.raises(Refused, match="bad_input"):
            read(platform, name, cursor, method="events_snapshot")


def test_the_subscriber_of_the_docs_begins_with_a_snapshot_and_holds_what_the_whole_feed_gives(
    platform: Instance, name: str, tmp_path: Path
) -> None:
    tree = platform.plant(f"树-{name}")
    grow(platform)
    agree(platform.database, name)
    signed = "select max(position) from head where stream = %s"
    last = len(items(platform, name))
    platform.wait_until(lambda: (platform.rows(signed, STREAM)[0][0] or 0) >= last, "a head is signed")
    file = tmp_path / "trees.jsonl"
    (tmp_path / "trees.jsonl.snapshot.part").write_text("what a power cut left")

    with before_sample(platform, tmp_path) as (address, _):

        def follow(*options: str) -> list[str]:
            command = [sys.executable, str(DOCS / "subscriber.py"), address, STREAM, str(file), "--once", *options]
            token = platform.token("partner", "350000000000", name)
            environment = {**os.environ, "BANYAN_TOKEN": token, "NO_PROXY": "*"}
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
            return ended.stdout.splitlines()

        begun, up_to = follow("--snapshot")
        head = msgspec.json.decode((tmp_path / "trees.jsonl.head").read_bytes(), type=Head)
        assert begun == f"from position {head.position}" and int(head.position) >= last
        platform.command("water_tree", tree_id=tree, litres=7)
        platform.wait_until(lambda: len(items(platform, name)) > int(up_to.split()[-1]), "it is in the log")
        assert follow("--snapshot")[0] == up_to.replace("up to", "from"), "a snapshot is taken once"

    whole, parts = items(platform, name), (tmp_path / "trees.jsonl.snapshot", file)
    held = [line for part in parts for line in part.read_bytes().splitlines()]
    assert folded(held) == folded(whole[: place(held[-1])]) and folded(held)[tree]["litres"] >= 7
    since = file.read_bytes().splitlines()
    assert verify(since, public_keys=platform.public_keys(), since=head).whole
