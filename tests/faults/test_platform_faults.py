"""Processes and servers die under load: no effect is lost or doubled, and all comes back by itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from banyan.cli.verify import verify
from banyan.kernel.refusal import Refused
from banyan.runtime.events.broker import Publisher
from banyan.runtime.events.relay import Relay
from banyan.runtime.host.db import open_pool
from tests.faults.load import AGAIN, CALL_S, watering
from tests.instance import Instance

BREAKS, BREAK_EACH_S = 30, 0.1
BREAK = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
)
SEALING_S = 3.0  # longer than the pause between two turns of sealing


def _serve_killed(platform: Instance, postgres: Any, rabbit: Any) -> None:
    platform.laptop.kill("serve")
    platform.laptop.start("serve")


def _work_killed(platform: Instance, postgres: Any, rabbit: Any) -> None:
    platform.laptop.kill("work")
    time.sleep(0.3)
    platform.laptop.start("work")


def _serve_stopped(platform: Instance, postgres: Any, rabbit: Any) -> None:
    platform.laptop.stop("serve")
    platform.laptop.start("serve")


def _postgres_frozen(platform: Instance, postgres: Any, rabbit: Any) -> None:
    postgres.freeze()
    try:
        time.sleep(2.0)
    finally:
        postgres.thaw()


def _postgres_killed(platform: Instance, postgres: Any, rabbit: Any) -> None:
    postgres.kill()
    postgres.start()


def _rabbit_killed(platform: Instance, postgres: Any, rabbit: Any) -> None:
    rabbit.kill()
    rabbit.start()


FAULTS: list[Callable[[Instance, Any, Any], None]] = [
    _serve_killed,
    _work_killed,
    _serve_stopped,
    _postgres_frozen,
    _postgres_killed,
    _rabbit_killed,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.strip("_"))
def test_under_load_nothing_is_lost_or_doubled(platform: Instance, postgres: Any, rabbit: Any, fault: Any) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="榕")["id"]
    with watering(platform, tree) as load:
        fault(platform, postgres, rabbit)
        platform.wait_until(lambda: _more_than(load, load.answered), "orders are answered again")
    assert not load.others

    with psycopg.connect(platform.database) as connection:
        litres = connection.execute("select litres from tree where id = %s", (tree,)).fetchone()
    assert litres == (load.answered,)
    platform.wait_until(lambda: platform.figure().get(tree) == load.answered, "the figure agrees")
    items = platform.stream("sample.tree")
    assert len(items) == load.answered + 1
    assert verify(items, public_keys=platform.public_keys()).whole


def _more_than(load: Any, before: int) -> bool:
    time.sleep(0.2)
    return bool(load.answered > before)


def test_questions_are_answered_through_a_database_that_breaks_their_connections(platform: Instance) -> None:
    """Found by the soak: what a command mended by itself was an inner error where somebody only asked."""
    tree, stop = platform.plant("榕"), threading.Event()
    answers: list[Any] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(platform.query("see_tree", tree_id=tree)["id"])
            except Refused as refused:
                answers.append(refused.code)

    def broken() -> bool:
        breaks.append(platform.rows(BREAK)[0][0])
        time.sleep(BREAK_EACH_S)
        return sum(breaks) > BREAKS and answers.count(tree) > BREAKS

    breaks: list[int] = []
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    platform.wait_until(broken, "connections were broken, and questions answered")
    stop.set()
    for thread in threads:
        thread.join(CALL_S * 10)
    assert set(answers) <= {tree, *AGAIN}, "asked again while there is time, else told that nobody is there"


def test_an_unreadable_signing_key_stops_writes_but_not_a_cry_for_help(platform: Instance) -> None:
    key = next(platform.laptop.key_folder.glob("signing-*.key"))
    token = platform.token()
    key.chmod(0o000)
    try:
        platform.call("plant_tree", {"division": "350203001000", "label": "先"}, key="a", token=token)
        with psycopg.connect(platform.database, autocommit=True) as connection:
            connection.execute("update unsealed set noted_at = now() - interval '1 hour'")
        platform.wait_until(lambda: _refused(platform, token), "writes are refused as audit_unsealed")
        time.sleep(SEALING_S)
        assert _refused(platform, token), "nothing is sealed meanwhile"
        storm = platform.call("report_storm", {"division": "350203001000", "label": "台风"}, key="s", token=token)
        assert storm["audit_unsealed"] is True
    finally:
        key.chmod(0o600)
    platform.wait_until(lambda: not _refused(platform, token), "sealing and writing come back by themselves")


def _refused(platform: Instance, token: str) -> bool:
    try:
        name = str(time.monotonic_ns())
        platform.call("plant_tree", {"division": "350203001000", "label": name}, key=name, token=token)
    except Refused as refused:
        return refused.code == "audit_unsealed"
    return False


def test_an_edited_event_and_an_edited_audit_row_are_named(platform: Instance) -> None:
    for number in range(5):
        platform.command("plant_tree", division="350203001000", label=str(number))
    platform.wait_until(lambda: len(platform.stream("sample.tree")) == 5, "all events are in the log")
    platform.wait_until(lambda: len(_audit(platform)) >= 5, "the audit rows are sealed")
    with psycopg.connect(platform.database, autocommit=True) as connection:
        edit = 'update log set body = replace(convert_from(body, \'UTF8\'), \'"label":"2"\', \'"label":"9"\')::bytea'
        connection.execute(f"{edit} where position = 3")
        connection.execute(
            'update audit set row = row || \'{"actor": "nobody"}\' where id = (select audit_id from seal where position = 4)'
        )
    events = verify(platform.stream("sample.tree"), public_keys=platform.public_keys())
    assert events.bad is not None
    assert events.bad.position == 3
    rows = verify(_audit(platform), public_keys=platform.public_keys(), complete=True)
    assert rows.bad is not None
    assert rows.bad.position == 4


def _audit(platform: Instance) -> list[bytes]:
    page = platform.query("audit_read", duty="audit_admin")["items"]
    return [json.dumps(item, ensure_ascii=False).encode() for item in page]


def test_duplicated_and_reordered_messages_change_nothing(platform: Instance) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="榕")["id"]
    for number in range(10):
        platform.command("water_tree", key=str(number), tree_id=tree, litres=1)
    platform.wait_until(lambda: platform.figure().get(tree) == 10, "the figure is there")
    publisher = Publisher(platform.vhost, "a second relay gone mad")
    items = platform.stream("sample.tree")
    publisher.publish(("sample.tree", item) for item in [*reversed(items), *items, b"rubbish", b'{"stream":1}'])
    publisher.close()
    platform.command("water_tree", tree_id=tree, litres=5)
    platform.wait_until(lambda: platform.figure().get(tree) == 15, "only the new one had an effect")


def test_what_the_broker_lost_is_fetched_from_the_log(platform: Instance, rabbit: Any) -> None:
    tree = platform.command("plant_tree", division="350203001000", label="榕")["id"]
    platform.laptop.kill("work")
    for number in range(600):
        platform.command("water_tree", key=str(number), tree_id=tree, litres=1)
    with psycopg.connect(platform.database, autocommit=True) as connection:
        pool = open_pool(platform.database, size=2, name="test")
        relay = Relay("sample", pool)
        while relay.position():
            pass
        connection.execute("update stream set published = position")  # as if all had been published, then lost
        pool.close()
    platform.laptop.start("work")
    platform.wait_until(lambda: platform.figure().get(tree) == 600, "the log brought what the broker never had")
