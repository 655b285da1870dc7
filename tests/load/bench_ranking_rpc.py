"""Ranking through RPC on both sides: p50 of one caller, SQL over ours: `python -m tests.load.bench_ranking_rpc`.

The same 70,000 generated workers, requests and fastest index as bench_ranking; both answers must be equal first.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.types.numeric import Int4BinaryDumper

from banyan.runtime.rpc.threads import ThreadClient
from banyan.testkit.servers import PrivatePostgres
from tests.load import bench_instance as bench
from tests.load import bench_ranking as ranking
from tests.load import province
from tests.load.bench_events import private_rabbit
from tests.load.bench_rpc import Process

SEED, WORKERS, REQUESTS = 20_241, 70_000, 300
PROBES = 100
SERVER = Path(__file__).with_name("bench_ranking_server.py")


def measure(rounds: int) -> dict[str, Any]:
    """Fills PostgreSQL, finds its fastest index, then asks both in turn."""
    towns = province.places(SEED)
    workers = province.workers(towns, WORKERS, SEED)
    asked = province.requests(towns, workers, REQUESTS, SEED)
    with tempfile.TemporaryDirectory(prefix="ranking-") as folder, private_rabbit("ranking-rpc") as rabbit:
        Path(folder).chmod(0o711)
        postgres = PrivatePostgres(Path(folder) / "postgres", fsync=False, settings=ranking._SETTINGS)
        try:
            postgres.start()
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.adapters.register_dumper(int, Int4BinaryDumper)
                bench.progress("写入七万名社会工作者并挑选最快的索引……")
                ranking.fill(connection, workers)
                peer, _ = ranking.best_peer(connection, asked[:PROBES])
                with ranking.indexed(connection, peer):
                    found = _through_rpc(rabbit.url, postgres.url, peer, asked, rounds)
        finally:
            postgres.destroy()
    return {
        "ranking_rpc_vs_sql": bench.median_ratio(found, "sql_p50_us", "ours_p50_us"),
        "peer": peer.title, "seed": SEED, "workers": WORKERS, "requests": REQUESTS, "rounds": found,
    }  # fmt: skip


def _through_rpc(amqp_url: str, postgres_url: str, peer: ranking.Peer, asked: Any, rounds: int) -> list[dict[str, Any]]:
    number = str(ranking.PEERS.index(peer))
    server = Process([sys.executable, str(SERVER), amqp_url, postgres_url, str(SEED), str(WORKERS), number])
    client = ThreadClient(amqp_url, connection_name="bench ranking")
    try:
        bodies = [msgspec.json.encode(request) for request in asked]
        call = {name: _calling(client, f"rank_{name}") for name in ("sql", "ours")}
        for body in bodies:
            assert call["sql"](body) == call["ours"](body), "both rank alike"
        found = []
        for turn in range(rounds):
            medians = {name: statistics.median(ranking.timed(its, bodies)) for name, its in call.items()}
            found.append({f"{name}_p50_us": round(value, 1) for name, value in medians.items()})
            bench.progress(f"第 {turn + 1}/{rounds} 轮，p50 微秒：{found[-1]}")
        return found
    finally:
        client.close()
        server.end()


def _calling(client: ThreadClient, service: str) -> Callable[[bytes], Any]:
    return lambda body: msgspec.json.decode(client.call(service, "rank", body, token="t"))


if __name__ == "__main__":
    bench.main(__doc__, measure)
