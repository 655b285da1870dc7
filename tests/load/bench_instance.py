"""What the benchmarks share: a service in this process on a private PostgreSQL, rounds in turn, results as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from banyan.kernel.context import Caller, Grant
from banyan.runtime.host import telemetry
from banyan.runtime.host.app import App, load_service, system_token
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.testkit.servers import PrivatePostgres
from banyan.vault import keys
from banyan.wire.rpc import Call

ROUNDS = 5
XIAMEN = "350200000000"
TOWN = "350203001000"
GARDENER = Caller(account="gardener-1", grants=(Grant(duty="gardener", division=XIAMEN),))
PLANT = (
    "insert into tree (id, version, division, body) select n.id, 1, %(division)s, jsonb_build_object("
    "'id', n.id, 'division', %(division)s::text, 'state', 'growing', 'label', n.id, 'litres', 0, 'owner', null)"
    " from (select 't-' || number as id from generate_series(1, %(many)s) number) n"
)
OLD_KEYS = (
    "insert into idempotency (caller, key, method, body_hash, reply, expires_at) select 'earlier', gen_random_uuid(),"
    " 'water_tree', sha256(number::text::bytea), '{}', now() + interval '35 days' from generate_series(1, 50000) number"
)
OLD_AUDIT = (
    "insert into audit (at, row) select now(), jsonb_build_object('subjects', jsonb_build_array('t-' || number))"
    " from generate_series(1, 50000) number"
)


@contextmanager
def private_postgres(title: str) -> Iterator[PrivatePostgres]:
    """A durable PostgreSQL (fsync on), as the platform runs it, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"banyan-{title}-") as folder:
        Path(folder).chmod(0o711)
        server = PrivatePostgres(Path(folder) / "postgres")
        try:
            yield server.start()
        finally:
            server.destroy()


@contextmanager
def app_of(name: str, title: str) -> Iterator[App]:
    """One service as `banyan serve` puts it together, telemetry and all, on a fresh database of its own."""
    with private_postgres(title) as postgres, tempfile.TemporaryDirectory(prefix="banyan-keys-") as folder:
        settings = Settings(
            mode="test", postgres_url=postgres.url, database_prefix="banyan_test_bench_", keys=Path(folder) / "keys"
        )
        made = keys.create(settings.key_folder())
        migrate(settings, name.rsplit(".", 1)[-1], name)
        telemetry.start(settings, title)
        app = App(load_service(name), settings, made, as_owner=True)  # a bench also vacuums and makes tables
        try:
            yield app
        finally:
            app.pool.close()


def plant(app: App, many: int) -> list[str]:
    """Trees t-1 to t-many of the sample service beside a day's keys and audit rows, analysed; answers their ids."""
    with app.pool.connection() as connection:
        plant_on(connection, many)
    return [f"t-{number}" for number in range(1, many + 1)]


def plant_on(connection: Any, many: int) -> None:
    """The same on an autocommit connection."""
    connection.execute(PLANT, {"division": TOWN, "many": many})
    connection.execute(OLD_KEYS)
    connection.execute(OLD_AUDIT)
    connection.execute("delete from unsealed")
    connection.execute("vacuum analyze")


class Water:
    """Calls of the sample service's water_tree as they come from the wire: token, key, JSON body."""

    def __init__(self, app: App, trees: list[str]) -> None:
        self._app, self._trees, self._n = app, trees, 0
        self._token = system_token(app.keys, GARDENER)

    def call(self) -> Call:
        """The next call: one litre for the next tree, under a new key."""
        self._n += 1
        body = b'{"tree_id":"%s","litres":1}' % self._trees[self._n % len(self._trees)].encode()
        deadline_ms = int(time.time() * 1000) + 10_000
        return Call("sample", "water_tree", body, self._token, str(uuid.uuid4()), deadline_ms)

    def run(self) -> None:
        """One command, in process."""
        self._app.bus.execute(self.call())


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """How long `times` runs take."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - begun


def in_turn(peers: Mapping[str, Callable[[], object]], *, slices: int, times: int) -> dict[str, float]:
    """Runs a second of each peer in one round: the peers take turns in short slices, so that noise falls on all."""
    order = list(peers)
    taken = dict.fromkeys(order, 0.0)
    for turn in range(slices):
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            taken[name] += seconds(peers[name], times)
    return {name: round(slices * times / spent, 1) for name, spent in taken.items()}


def median_ratio(rounds: list[dict[str, float]], over: str, under: str) -> float:
    """The median over the rounds of one peer's figure over another's, of the same round."""
    return round(statistics.median(one[over] / one[under] for one in rounds), 3)


def progress(text: str) -> None:
    """One line of progress, on stderr so that a part's result can be piped."""
    print(text, file=sys.stderr, flush=True)


def main(doc: str | None, measure: Callable[[int], dict[str, Any]], *, rounds: int = ROUNDS) -> None:
    """The command line of a part: --rounds, --json."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=rounds)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stopped benchmark ends what it started
    text = json.dumps(measure(given.rounds), ensure_ascii=False, indent=1)
    if given.json:
        given.json.write_text(text + "\n", "utf-8")
    print(text)
