"""Events from the outbox to their effect on a quorum queue, in batches of 500 and one by one, by the same code.

Run: `python -m tests.load.bench_events [--json out.json]`. The outbox is filled; then relay, publisher and subscription
run as in `banyan work`, each in its thread, until the projection has applied the last event. PostgreSQL has fsync on.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from banyan.runtime.events import react
from banyan.runtime.events import relay as relays
from banyan.runtime.events.broker import Inbox, Publisher
from banyan.runtime.events.subscribe import Subscription
from banyan.runtime.host.app import App
from banyan.runtime.host.work import publish
from banyan.testkit.servers import PrivateRabbit
from tests.load import bench_instance as bench

STREAM = "sample.tree"
BATCH, MANY = {"batched": 500, "single": 1}, {"batched": 10_000, "single": 600}
FILL = (
    "insert into outbox (event_id, stream, aggregate_id, aggregate_version, type, effective_on, recorded_at, data)"
    " select gen_random_uuid(), 'sample.tree', 't-' || number %% 1000 + 1, 2, 'cn.banyan.sample.tree.watered.v1',"
    " current_date, date_trunc('milliseconds', now()),"
    " jsonb_build_object('tree_id', 't-' || number %% 1000 + 1, 'litres', 1) from generate_series(1, %s) number"
)


@contextlib.contextmanager
def private_rabbit(title: str) -> Iterator[PrivateRabbit]:
    """A broker of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"banyan-{title}-") as folder:
        Path(folder).chmod(0o711)
        server = PrivateRabbit(Path(folder) / "rabbit")
        try:
            yield server.start()
        finally:
            server.destroy()


class Chain:
    """The path of the sample service's events; `rate` runs it with a size of batch, for relay and subscription alike."""

    def __init__(self, app: App, url: str) -> None:
        self._app = app
        self._relay, self._publisher = relays.Relay("sample", app.pool), Publisher(url, "relay sample")
        fold = app.service.projections.__getitem__
        apply = react.projecting(app.bus, fold)
        self._subscription = Subscription("projections", (STREAM,), app.pool, apply, lambda *_: [])
        self._inbox = Inbox(url, "bench", (STREAM,))
        self._inbox.open()

    def rate(self, batch: int, many: int) -> float:
        """Events a second, from a full outbox to the last effect; every event is counted in the figure."""
        goal = self._subscription.positions()[STREAM] + many
        with self._app.pool.connection() as connection:
            connection.execute(FILL, (many,))
        litres = self._litres()
        relay = threading.Thread(target=self._send, args=(many,))
        begun = time.perf_counter()
        with patch.object(relays, "BATCH", batch):
            relay.start()
            self._apply(batch, many)
            taken_s = time.perf_counter() - begun
            relay.join()
        assert self._subscription.positions()[STREAM] == goal, "every event took effect"
        assert self._litres() == litres + many, "every effect once"
        return round(many / taken_s, 1)

    def _send(self, many: int) -> None:
        sent = 0
        while sent < many:
            self._relay.position()
            sent += publish(self._relay, self._publisher)

    def _apply(self, batch: int, many: int) -> None:
        applied = 0
        while applied < many:
            bodies = self._inbox.take(batch, wait_s=1.0, gather_s=0.005)
            applied += self._subscription.take(bodies)
            self._inbox.done(len(bodies))

    def _litres(self) -> int:
        with self._app.pool.connection() as connection:
            return int(connection.execute("select coalesce(sum(litres), 0) from water").fetchone()[0])  # type: ignore[index]


def measure(rounds: int) -> dict[str, Any]:
    """Both sizes in turn."""
    found: list[dict[str, float]] = []
    with bench.app_of("tests.sample", "events") as app, private_rabbit("events") as rabbit:
        path = Chain(app, rabbit.url)
        path.rate(BATCH["batched"], 2_000)
        with app.pool.connection() as connection:
            connection.execute("vacuum analyze")
        for turn in range(rounds):
            found.append({name: path.rate(BATCH[name], MANY[name]) for name in BATCH})
            bench.progress(f"第 {turn + 1}/{rounds} 轮，每秒事件数：{found[-1]}")
    return {"events_batched_vs_single": bench.median_ratio(found, "batched", "single"), "rounds": found}


if __name__ == "__main__":
    bench.main(__doc__, measure)
