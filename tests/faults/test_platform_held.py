"""A write transaction that is held open delays no event: neither one in another database of the server, nor one in the
events' own, which has drawn an earlier number in the outbox and holds it back."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from tests.instance import Instance

CALM_S, HELD_S = 3.0, 15.0
SLOWER_MOST, GRACE_S = 3.0, 0.5
DRAWN = (
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data)"
    " values ('held', 'sample.tree', 'held', 1, 'held', current_date, now(), '{}') returning id"
)


def _delays(platform: Instance, tree_id: str, span_s: float) -> list[float]:
    """Seconds from an order's answer to its effect in the figure, one order after the other for so long."""
    found: list[float] = []
    until = time.monotonic() + span_s
    litres = platform.figure().get(tree_id, 0)
    while time.monotonic() < until:
        platform.command("water_tree", tree_id=tree_id, litres=1)
        answered, litres = time.monotonic(), litres + 1
        platform.wait_until(lambda wanted=litres: platform.figure().get(tree_id) == wanted, "the event had its effect")
        found.append(time.monotonic() - answered)
    return found


def test_a_write_transaction_held_open_delays_no_event(platform: Instance, database: str) -> None:
    tree, other = platform.plant("榕"), platform.plant("别的")
    calm = _delays(platform, tree, CALM_S)
    with psycopg.connect(database) as elsewhere, psycopg.connect(platform.database) as own:
        elsewhere.execute("create table held (x int)")
        own.execute("update tree set version = version where id = %s", (other,))
        drawn = own.execute(DRAWN).fetchone()
        held = _delays(platform, tree, HELD_S)
        own.rollback()
        elsewhere.rollback()
    last = platform.rows("select last_value from pg_sequences where sequencename = 'outbox_id_seq'")[0][0]
    assert drawn and drawn[0] < last - len(held) + 1, "all events meanwhile drew later numbers"
    assert statistics.median(held) <= max(SLOWER_MOST * statistics.median(calm), GRACE_S), (calm, held)
    assert max(held) < HELD_S / 2, "not one waited for its end"


def test_an_order_whose_row_s_partition_is_made_meanwhile_is_done(platform: Instance) -> None:
    """PostgreSQL refuses a row on its way to the default partition once another partition has taken its place."""
    tree = platform.plant("榕")
    with psycopg.connect(platform.database) as maker, ThreadPoolExecutor(1) as pool:
        maker.execute("select make_partitions(banyan_now() + interval '40 years')")
        platform.run("update clock set offset_ms = offset_ms + extract(epoch from interval '40 years')::bigint * 1000")
        order = pool.submit(platform.command, "water_tree", tree_id=tree, litres=1)
        waits = "select count(*) from pg_locks where not granted and relation in ('audit'::regclass, 'audit_rest'::regclass)"
        platform.wait_until(lambda: platform.rows(waits) != [(0,)], "the order's row waits for the default partition")
        maker.commit()
        assert order.result()["id"] == tree
    platform.wait_until(lambda: platform.figure() == {tree: 1}, "its event had its effect, once")
