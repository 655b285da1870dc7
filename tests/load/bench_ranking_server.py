"""The server of bench_ranking_rpc: one green process that ranks in memory as `rank_ours`, and by SQL as `rank_sql`.

`bench_ranking_server.py <amqp url> <postgres url> <seed> <workers> <number of the SQL peer>`.
"""

from __future__ import annotations

from banyan.runtime.rpc import green

green.patch()

import sys  # noqa: E402

import msgspec  # noqa: E402
import psycopg  # noqa: E402
from msgspec.structs import astuple  # noqa: E402
from psycopg.types.numeric import Int4BinaryDumper  # noqa: E402

from banyan.wire.rpc import Call  # noqa: E402
from services.matching.ranking import Index, Request, warm  # noqa: E402
from tests.load import bench_ranking as ranking  # noqa: E402
from tests.load import province  # noqa: E402
from tests.load.rpc_stock_peer import tell  # noqa: E402


def main() -> None:
    amqp_url, postgres_url, seed, size, peer = sys.argv[1:]
    warm()
    index = Index(province.workers(province.places(int(seed)), int(size), int(seed)), ranking.FIGURES)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.adapters.register_dumper(int, Int4BinaryDumper)
        sql = ranking.Sql(connection, ranking.PEERS[int(peer)])

        def ours(call: Call) -> bytes:
            """Asked with a request as JSON, answers ids and points."""
            request = msgspec.json.decode(call.body, type=Request)
            return msgspec.json.encode([astuple(ranked) for ranked in index.rank(request, ranking.K)])

        def by_sql(call: Call) -> bytes:
            """The same."""
            request = msgspec.json.decode(call.body, type=Request)
            return msgspec.json.encode(sql.rank(request.field, ranking.parameters(request)))

        green.serve({"rank_ours": ours, "rank_sql": by_sql}, amqp_url, on_ready=lambda: tell("ready"))


if __name__ == "__main__":
    main()
