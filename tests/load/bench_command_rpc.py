"""A durable command through RPC, 20 callers, over a stock nameko echo: `python -m tests.load.bench_command_rpc`.

`banyan serve` of the sample service on a private PostgreSQL (fsync on) answers water_tree; the faster, tuned stock
nameko answers an echo and keeps nothing. One private RabbitMQ, a vhost each; callers in processes of their own.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from banyan.cli.laptop import Laptop
from tests.load import bench_instance as bench
from tests.load.bench_events import private_rabbit
from tests.load.bench_rpc import CALLERS, Process, StockEcho, vhost

TREES, CALLS, WARM, SLICES = 1_000, 1_000, 1_000, 3
CALLER = Path(__file__).with_name("bench_command_caller.py")


@contextmanager
def serving(amqp_url: str) -> Iterator[Laptop]:
    """`banyan serve` of the sample service; nothing relays meanwhile, as stock does not either."""
    with bench.private_postgres("serve") as postgres, tempfile.TemporaryDirectory(prefix="banyan-serve-") as folder:
        os.environ["BANYAN_KEYS"] = str(Path(folder) / "keys")
        laptop = Laptop(
            folder, mode="test", services=("tests.sample",), processes=("serve",), postgres_url=postgres.url,
            amqp_url=amqp_url,
        )  # fmt: skip
        try:
            laptop.up(bench.progress)
            with _database(laptop) as connection:
                bench.plant_on(connection, TREES)
            yield laptop
        finally:
            for name in laptop.processes:
                laptop.stop(name)


def _database(laptop: Laptop) -> psycopg.Connection[Any]:
    return psycopg.connect(laptop.settings().owner_url("sample"), autocommit=True)


def _answered(laptop: Laptop) -> int:
    """How many commands have a reply under their key: a refused or lost one would only look fast."""
    sql = "select count(*) from idempotency where caller = 'gardener-1' and not refused and reply is not null"
    with _database(laptop) as connection:
        return int(connection.execute(sql).fetchone()[0])  # type: ignore[index]


def measure(rounds: int) -> dict[str, Any]:
    """Commands and echoes in turn, in slices."""
    found = []
    with private_rabbit("command-rpc") as rabbit, serving(vhost(rabbit, "commands")) as laptop:
        bench.progress("挑选并调优 nameko 对照……")
        with StockEcho(vhost(rabbit, "stock")) as stock:
            command = [sys.executable, str(CALLER), vhost(rabbit, "commands"), str(laptop.key_folder), str(TREES)]
            callers = Process(command)
            try:
                callers.ask(f"rate {CALLERS} {WARM}")
                for turn in range(rounds):
                    found.append(_round(callers, stock))
                    bench.progress(f"第 {turn + 1}/{rounds} 轮，每秒次数：{found[-1]}")
                answered = _answered(laptop)
            finally:
                callers.end()
            version, chosen = stock.version, stock.peer.chosen
    assert answered == WARM + rounds * SLICES * CALLS, f"commands were lost: {answered} answered"
    ratio = bench.median_ratio(found, "command", "stock_echo")
    return {"command_rpc_vs_stock_ping": ratio, "stock": version, "stock_chosen": chosen, "rounds": found}


def _round(callers: Process, stock: StockEcho) -> dict[str, float]:
    """Calls a second of each, the mean of short slices in turn."""
    rates: dict[str, list[float]] = {"command": [], "stock_echo": []}
    for _ in range(SLICES):
        rates["command"].append(callers.ask(f"rate {CALLERS} {CALLS}"))
        rates["stock_echo"].append(stock.peer.rate(CALLS))
    return {name: round(statistics.harmonic_mean(its), 1) for name, its in rates.items()}


if __name__ == "__main__":
    bench.main(__doc__, measure)
