"""A durable command in process over the same five statements in raw psycopg: `python -m tests.load.bench_command`.

Both write the same tables over the same pool with fsync on, in a green process with the wait function of `banyan serve`,
where commands run. Ours is the whole command: token, duty, key, lock, rule, record, history, event, NOTIFY, notice, audit,
reply, telemetry. Raw is five statements and a commit, each waited for.
"""

from __future__ import annotations

from banyan.runtime.rpc import green

green.patch()
green.green_psycopg()

import datetime as dt  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import uuid  # noqa: E402
from typing import Any  # noqa: E402

from banyan.runtime.host.app import App  # noqa: E402
from tests.load import bench_instance as bench  # noqa: E402

TREES, SLICES, TIMES, WARM = 1_000, 12, 50, 100
KEY = "insert into idempotency (caller, key, method, body_hash, reply, expires_at) values (%s, %s, %s, %s, %s, %s)"
SELECT = "select version, body from tree where id = %s for update"
UPDATE = "update tree set version = version + 1, body = %s::jsonb where id = %s"
OUTBOX = (
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data)"
    " values (%s, 'sample.tree', %s, %s, 'cn.banyan.sample.tree.watered.v1', %s, %s, %s)"
)
AUDIT = "insert into audit (at, row) values (%s, %s::jsonb)"


class Raw:
    """The five statements by hand: key, select for update, update, outbox, audit; then commit."""

    def __init__(self, app: App, trees: list[str]) -> None:
        self._pool, self._trees, self._n = app.pool, trees, 0

    def _key(self, connection: Any, tree: str) -> None:
        digest = hashlib.sha256(tree.encode()).digest()
        reply = json.dumps({"id": tree, "version": 1, "state": "growing", "policy": "raw"})
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=35)
        connection.execute(KEY, ("raw", str(uuid.uuid4()), "water_tree", digest, reply, until))

    def _write(self, connection: Any, tree: str, version: int, body: dict[str, Any]) -> None:
        now = dt.datetime.now(dt.UTC)
        body["litres"] += 1
        event = json.dumps({"tree_id": tree, "litres": 1})
        row = {"service": "sample", "method": "water_tree", "actor": "raw", "at": now.isoformat(), "outcome": "done"}
        row |= {"subjects": [tree], "record": tree}
        connection.execute(UPDATE, (json.dumps(body), tree))
        connection.execute(OUTBOX, (str(uuid.uuid4()), tree, version + 1, now.date(), now, event))
        connection.execute(AUDIT, (now, json.dumps(row)))

    def _next(self) -> str:
        self._n += 1
        return self._trees[self._n % len(self._trees)]

    def plain(self) -> None:
        """Each statement waits for its answer, begin and commit too, as psycopg's own transaction block does."""
        tree = self._next()
        with self._pool.connection() as connection, connection.transaction():
            self._key(connection, tree)
            self._write(connection, tree, *connection.execute(SELECT, (tree,)).fetchone())  # type: ignore[misc]

    def pipelined(self) -> None:
        """The same in psycopg's pipeline: it waits for the record and for the commit."""
        tree = self._next()
        with self._pool.connection() as connection, connection.pipeline():
            connection.execute("begin")
            self._key(connection, tree)
            self._write(connection, tree, *connection.execute(SELECT, (tree,)).fetchone())  # type: ignore[misc]
            connection.execute("commit")


def measure(rounds: int) -> dict[str, Any]:
    """All three side by side."""
    found = []
    with bench.app_of("tests.sample", "command") as app:
        trees = bench.plant(app, TREES)
        raw = Raw(app, trees)
        peers = {"ours": bench.Water(app, trees).run, "raw": raw.plain, "pipelined": raw.pipelined}
        bench.in_turn(peers, slices=1, times=WARM)
        for turn in range(rounds):
            found.append(bench.in_turn(peers, slices=SLICES, times=TIMES))
            bench.progress(f"第 {turn + 1}/{rounds} 轮，每秒命令数：{found[-1]}")
    return {
        "command_vs_raw_sql": bench.median_ratio(found, "ours", "raw"),
        "command_vs_pipelined_sql": bench.median_ratio(found, "ours", "pipelined"),
        "rounds": found,
    }


if __name__ == "__main__":
    bench.main(__doc__, measure)
