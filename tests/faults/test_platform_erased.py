"""Erased stays erased, also through a restore of an older backup; rotated keys open and prove what older ones did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banyan.cli.backup import backup, restore
from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from banyan.runtime.host.app import App, load_service, open_keys
from banyan.runtime.host.erasures import Ledger
from banyan.runtime.host.settings import Settings
from banyan.runtime.host.work import sign_all
from banyan.vault.sign import Signer, head_fault
from banyan.wire.chain import Head
from banyan.wire.rpc import Call
from tests.instance import Instance, drop

STREAM = "sample.tree"
OWNER = "欧阳慎独"


@pytest.fixture
def elsewhere(shared: Instance, database: str) -> Iterator[Settings]:
    """The settings of an instance with the same keys on databases that are not there yet."""
    settings = shared.laptop.settings().model_copy(update={"database_prefix": "banyan_test_restored_"})
    yield settings
    drop("banyan_test_restored_sample", database)


def _everything(platform: Instance) -> str:
    """All rows of all tables as text: where a name stands anywhere, it stands here."""
    names = platform.rows("select tablename from pg_tables where schemaname = 'public'")
    tables = [str(platform.rows(f'select t::text from "{name}" t')) for (name,) in names]
    return "".join(tables)


def test_an_erased_person_cannot_be_read_and_every_proof_is_whole(shared: Instance) -> None:
    tree, kept = shared.plant("将删", owner=OWNER), shared.plant("不删", owner="王二")
    shared.command("water_tree", tree_id=tree, litres=1)
    shared.wait_until(lambda: shared.figure().get(tree) == 1, "the figure is there")
    assert OWNER not in _everything(shared), "no plain text anywhere, even before"
    sealed = shared.rows("select body #>> '{owner,s}' from tree where id = %s", tree)[0][0]

    shared.command("forget_owner", tree_id=tree)
    assert shared.query("see_tree", tree_id=tree).get("owner") is None
    assert shared.query("see_tree", tree_id=kept)["owner"] == "王二"
    assert shared.rows("select wrapped from person_key where person_id = %s", tree) == [(None,)]
    shared.run("update tree set body = jsonb_set(body, '{owner}', %s::jsonb) where id = %s", _owner(sealed), tree)
    with pytest.raises(Refused) as refused:
        shared.query("see_tree", tree_id=tree)
    assert refused.value.code == "person_erased", "the old ciphertext, put back by hand, opens no more"
    shared.run("update tree set body = body - 'owner' where id = %s", tree)

    shared.wait_until(lambda: tree in str(shared.stream(STREAM)), "the events are in the log")
    report = verify(shared.stream(STREAM), public_keys=shared.public_keys())
    assert report.whole
    assert shared.figure()[tree] == 1


def _owner(sealed: str) -> str:
    return json.dumps({"s": sealed, "i": [], "k": "name"})


def _ledger(platform: Instance) -> set[str]:
    return Ledger(platform.laptop.settings().ledger_folder()).persons("sample")


def test_a_restored_backup_does_not_bring_an_erased_person_back(
    shared: Instance, elsewhere: Settings, tmp_path: Path
) -> None:
    tree, kept = shared.plant("备份后删", owner=OWNER), shared.plant("备份后留", owner="王二")
    shared.wait_until(lambda: kept in str(shared.stream(STREAM)), "the events are in the log")
    backup(shared.laptop.settings(), ("sample",), tmp_path / "kept", lambda _: None)
    shared.command("forget_owner", tree_id=tree)
    shared.wait_until(lambda: tree in _ledger(shared), "the ledger outside of the databases knows it")

    ledger = Ledger(elsewhere.ledger_folder())
    assert restore(elsewhere, ("tests.sample",), tmp_path / "kept", ledger, lambda _: None) == 1
    app = App(load_service("tests.sample"), elsewhere, open_keys(elsewhere))
    try:
        assert _seen(app, shared, kept)["owner"] == "王二"
        with pytest.raises(Refused) as refused:
            _seen(app, shared, tree)
        assert refused.value.code == "person_erased"
        with app.pool.connection() as connection:
            items = connection.execute("select count(*) from log").fetchone()
        assert items is not None and items[0] > 0
        body = {"stream": STREAM, "limit": 500}
        page = json.loads(app.bus.execute(_call(shared, "events_read", body, "system")))["items"]
        lines = [json.dumps(item, ensure_ascii=False).encode() for item in page]
        assert verify(lines, public_keys=shared.public_keys()).whole
    finally:
        app.pool.close()
    with pytest.raises(Refused) as again:
        restore(elsewhere, ("tests.sample",), tmp_path / "kept", ledger, lambda _: None)
    assert again.value.code == "database_not_empty"


def _call(platform: Instance, method: str, body: dict[str, Any], duty: str) -> Call:
    token = platform.token(duty)
    return Call("sample", method, json.dumps(body).encode(), token, None, 2**42, None)


def _seen(app: App, platform: Instance, tree_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(app.bus.execute(_call(platform, "see_tree", {"tree_id": tree_id}, "gardener")))
    return found


def _heads(platform: Instance) -> list[Head]:
    rows = platform.rows("select head from head where stream = %s order by position", STREAM)
    return [Head(**json.loads(row[0])) for row in rows]


def _restarted(platform: Instance) -> None:
    for name in platform.laptop.processes:
        platform.laptop.stop(name)
    for name in platform.laptop.processes:
        platform.laptop.start(name)
        platform.laptop.wait_ready(name)


def test_rotated_keys_open_the_old_and_seal_and_sign_the_new(shared: Instance) -> None:
    old_tree = shared.plant("旧钥", owner="王二")
    shared.wait_until(lambda: old_tree in str(shared.stream(STREAM)), "its event is in the log")
    _sign_now(shared)
    old_head, old_master = _heads(shared)[-1], shared.keys.master_id
    shared.keys.rotate("master")
    signing = shared.keys.rotate("signing")
    _restarted(shared)

    assert shared.query("see_tree", tree_id=old_tree)["owner"] == "王二"
    new_tree = shared.plant("新钥", owner="李四")
    assert shared.query("see_tree", tree_id=new_tree)["owner"] == "李四"
    wrapped = dict(
        shared.rows("select person_id, convert_from(wrapped, 'UTF8') from person_key where wrapped is not null")
    )
    assert old_master in wrapped[old_tree] and old_master not in wrapped[new_tree]
    assert shared.keys.master_id in wrapped[new_tree]

    shared.wait_until(lambda: _heads(shared)[-1].key_id == signing, "heads are signed by the new key")
    shared.wait_until(lambda: new_tree in str(shared.stream(STREAM)), "the new event is in the log")
    _sign_now(shared)
    heads, public = _heads(shared), shared.public_keys()
    assert [head_fault(head, public) for head in heads] == [None] * len(heads)
    assert old_head.key_id != signing and head_fault(old_head, public) is None
    items = shared.stream(STREAM)
    assert verify(items, public_keys=public, head=heads[-1]).whole
    assert verify(items[: int(old_head.position)], public_keys=public, head=old_head).whole
    without = {key_id: raw for key_id, raw in public.items() if key_id != signing}
    assert not verify(items, public_keys=without, head=heads[-1]).whole, "who does not know the key believes nothing"


def _sign_now(platform: Instance) -> None:
    """What the worker does each minute, now."""
    settings = platform.laptop.settings()
    app = App(load_service("tests.sample"), settings, open_keys(settings))
    try:
        sign_all("sample", app.pool, Signer(app.keys))
    finally:
        app.pool.close()
