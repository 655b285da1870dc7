"""Partners on real servers: what they may read, over the feed and by a queue of their own; every chain closes there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import msgspec
import pytest

from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from banyan.runtime.events import outlet
from banyan.runtime.events.outlet import queue_of
from banyan.runtime.host.db import open_pool
from banyan.testkit.rabbit import management_call
from banyan.vault.sign import jwks
from banyan.wire.canonical import canonical
from tests.instance import Instance
from tests.partners import PLANTED, THEN, WATERED, Partner, agree
from tests.proofs import PUBLIC_KEYS, SIGNED_AT, SIGNING, second_verifier

STREAM = "sample.tree"


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def partner(platform: Instance, rabbit: Any, name: str) -> Iterator[Partner]:
    made = Partner(platform.vhost, rabbit.admin_url, name)
    yield made
    made.gone()


def grow(platform: Instance, waterings: int = 3) -> int:
    """A tree, watered; answers the stream's last position."""
    tree = platform.command("plant_tree", division="350203001000", label=uuid.uuid4().hex)["id"]
    for _ in range(waterings):
        platform.command("water_tree", tree_id=tree, litres=1)
    platform.wait_until(lambda: platform.figure().get(tree) == waterings, "the events are in the log")
    return len(platform.stream(STREAM))


def read(platform: Instance, account: str, after: int | str = 0, *, method: str = "events_read", **body: Any) -> Any:
    token = platform.token("partner", "350000000000", account)
    paged = method in ("events_read", "events_snapshot")
    asked = {"stream": STREAM, **({"after": after, "limit": 500} if paged else {}), **body}
    return platform.call(method, {} if method == "events_positions" else asked, key=None, token=token)


def items(platform: Instance, account: str) -> list[bytes]:
    """The whole feed as the partner reads it."""
    found: list[bytes] = []
    while page := read(platform, account, len(found))["items"]:
        found += [json.dumps(item, ensure_ascii=False).encode() for item in page]
    return found


def types(found: list[bytes]) -> set[str]:
    return {json.loads(item).get("type", "redacted") for item in found}


def test_what_is_not_agreed_comes_as_position_and_digest_and_the_chain_closes(platform: Instance, name: str) -> None:
    head = grow(platform)
    agree(platform.database, name, PLANTED)
    got = items(platform, name)
    assert len(got) == head and types(got) == {PLANTED, "redacted"}
    assert all("tree_id" not in item.decode() for item in got if b'"redacted":' in item.replace(b" ", b""))
    report = verify(got, public_keys=platform.public_keys())
    assert report.whole and report.redacted == sum("type" not in json.loads(item) for item in got) > 0
    agree(platform.database, name)
    assert items(platform, name) == platform.stream(STREAM)


def test_fields_that_are_not_agreed_never_leave_and_the_item_still_proves_itself(
    platform: Instance, partner: Partner, tmp_path: Path
) -> None:
    label, owner = f"label-{uuid.uuid4().hex}", f"owner-{uuid.uuid4().hex}"
    platform.command("plant_tree", division="350203001000", label=label, owner=owner)
    head = grow(platform)
    agree(platform.database, partner.name, fields={PLANTED: ("division",), WATERED: ("*",)}, queue=True)
    platform.wait_until(partner.waiting, "the queue is declared")
    platform.wait_until(lambda: partner.take() == head, "all has come")
    got = items(platform, partner.name)
    assert [json.loads(item) for item in partner.items] == [json.loads(item) for item in got]
    assert label.encode() in b"".join(platform.stream(STREAM))
    for place in (got, partner.items):
        assert label.encode() not in b"".join(place) and b'"personal":' not in b"".join(place)
    planted = [n for n, item in enumerate(got, 1) if json.loads(item).get("type") == PLANTED]
    assert all(set(json.loads(got[n - 1])["data"]) == {"division"} for n in planted)

    signed = SIGNING.head(STREAM, head, bytes.fromhex(json.loads(got[-1])["chain"]), SIGNED_AT)
    report = verify(got, public_keys=PUBLIC_KEYS, head=signed)
    assert (
        report.whole
        and report.partial == len(planted)
        and report.redacted == head - len(planted) - sum(json.loads(item).get("type") == WATERED for item in got)
    )
    files = {"items": b"\n".join(got), "head": msgspec.json.encode(signed), "keys": canonical(jwks(PUBLIC_KEYS))}
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    assert second_verifier().main(*(str(tmp_path / file) for file in files)) == 0
    at = planted[-1]
    for was, becomes in ((b"350203001000", b"350203001001"), (b"division:", b"division:A"), (b"label:", b"label:0")):
        broken = [*got[: at - 1], got[at - 1].replace(was, becomes), *got[at:]]
        bad = verify(broken, public_keys=PUBLIC_KEYS).bad
        assert bad and bad.position == at
        assert second_verifier().prove(map(json.loads, broken), msgspec.to_builtins(signed))[0] == at
    agree(platform.database, partner.name, fields={PLANTED: ("*", "personal")}, queue=True)
    assert b'"personal":' in b"".join(items(platform, partner.name))
    agree(platform.database, partner.name, queue=True, ended_at=THEN)


def test_who_has_no_agreement_or_another_stream_finds_nothing(platform: Instance, name: str) -> None:
    grow(platform, 1)
    for method in ("events_read", "events_head", "events_positions"):
        with pytest.raises(Refused, match="not_found"):
            read(platform, name, method=method)
    agree(platform.database, name, stream="sample.hedge")
    assert read(platform, name, method="events_positions") == {"streams": {}}
    for method in ("events_read", "events_head"):
        with pytest.raises(Refused, match="not_found"):
            read(platform, name, method=method)
    agree(platform.database, name)
    assert set(read(platform, name, method="events_positions")["streams"]) == {STREAM}
    assert STREAM in platform.query("events_positions", duty="audit_admin")["streams"]


@pytest.mark.parametrize(
    "over", [{"until": THEN.date().replace(year=2021)}, {"ended_at": THEN}], ids=["until", "ended"]
)
def test_an_agreement_that_is_over_gives_nothing(platform: Instance, name: str, over: dict[str, Any]) -> None:
    grow(platform, 1)
    agree(platform.database, name)
    assert read(platform, name)["items"]
    agree(platform.database, name, **over)
    with pytest.raises(Refused, match="not_found"):
        read(platform, name)


def test_the_outlet_fills_the_partners_own_queue(platform: Instance, partner: Partner) -> None:
    head = grow(platform)
    agree(platform.database, partner.name, PLANTED, queue=True)
    platform.wait_until(partner.waiting, "the queue is declared")
    platform.wait_until(lambda: partner.take() == head, "all that was before has come")
    head = grow(platform)
    platform.wait_until(lambda: partner.take() == head, "what is new follows")
    assert types(partner.items) == {PLANTED, "redacted"}
    assert [json.loads(item) for item in partner.items] == [json.loads(item) for item in items(platform, partner.name)]
    assert verify(partner.items, public_keys=platform.public_keys()).whole

    agree(platform.database, partner.name, PLANTED, queue=True, ended_at=THEN)
    witness = Partner(platform.vhost, partner._admin_url, f"w{partner.name[1:]}")
    try:
        agree(platform.database, witness.name, queue=True)
        later = grow(platform)
        platform.wait_until(witness.waiting, "the witness has a queue")
        platform.wait_until(lambda: witness.take() == later, "another partner goes on")
        assert partner.take() == head < later, "after the end nothing is sent"
    finally:
        agree(platform.database, witness.name, queue=True, ended_at=THEN)
        witness.gone()


def test_a_partner_may_only_read_its_queue(platform: Instance, partner: Partner) -> None:
    agree(platform.database, partner.name, queue=True)
    grow(platform, 1)
    platform.wait_until(partner.waiting, "the queue is declared")
    for forbidden in (
        lambda channel: channel.queue_declare("mine", durable=True, auto_delete=False),
        lambda channel: channel.queue_delete(queue_of(partner.name)),
        lambda channel: channel.basic_publish_confirm(amqp.Message(b"forged"), "", queue_of(partner.name)),
    ):
        with pytest.raises(amqp.exceptions.AccessRefused):
            forbidden(partner.connect())
    agree(platform.database, partner.name, queue=True, ended_at=THEN)


def test_a_deleted_queue_is_declared_again_and_gets_what_follows(
    platform: Instance, partner: Partner, rabbit: Any
) -> None:
    agree(platform.database, partner.name, queue=True)
    head = grow(platform, 1)
    platform.wait_until(partner.waiting, "the queue is declared")
    platform.wait_until(lambda: partner.take() == head, "all has come")
    path = f"/api/queues/partner.{partner.name}/{queue_of(partner.name)}"
    management_call(rabbit.admin_url, "DELETE", path)
    later = grow(platform, 1)
    platform.wait_until(partner.waiting, "the queue is there again")
    platform.wait_until(lambda: partner.take() == later, "nothing is missing")
    agree(platform.database, partner.name, queue=True, ended_at=THEN)


def test_a_full_queue_waits_and_nothing_is_left_out(
    platform: Instance, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = grow(platform, 12)
    monkeypatch.setattr(outlet, "FULL", 5)
    platform.laptop.stop("work")
    pool = open_pool(platform.database, size=2, name="test")
    try:
        agree(platform.database, partner.name, queue=True)
        ours = outlet.Outlet("sample", pool, platform.vhost)
        for has in (*range(5, head, 5), head):
            while ours.turn():
                pass
            assert partner.take() == has
        assert (partner.repeated, ours.turn()) == (0, False)
    finally:
        agree(platform.database, partner.name, queue=True, ended_at=THEN)
        pool.close()
        platform.laptop.start("work")
        platform.laptop.wait_ready("work")
    assert verify(partner.items, public_keys=platform.public_keys()).whole


def test_a_subscriber_three_thousand_events_behind_catches_up(platform: Instance, name: str) -> None:
    agree(platform.database, name, PLANTED)
    before = grow(platform, 1)
    had = items(platform, name)
    trees = [platform.command("plant_tree", division="350203001000", label=uuid.uuid4().hex)["id"] for _ in range(500)]
    for _ in range(5):
        each = [{"tree_id": tree, "litres": 1} for tree in trees]
        assert all("done" in answer for answer in platform.command("water_trees", items=each, timeout_s=60)["items"])
    head = before + 3000
    positions = lambda: int(read(platform, name, method="events_positions")["streams"][STREAM])  # noqa: E731
    platform.wait_until(lambda: positions() == head, "three thousand events are in the log")
    while page := read(platform, name, len(had))["items"]:
        had += [json.dumps(item, ensure_ascii=False).encode() for item in page]
    assert len(had) == head
    report = verify(had, public_keys=platform.public_keys())
    assert report.whole and report.redacted >= 2500
    broken = [*had[:1999], had[1999].replace(b'"digest": "', b'"digest": "0')[:-1] + b"}", *had[2000:]]
    assert verify(broken, public_keys=platform.public_keys()).bad.position == 2000
