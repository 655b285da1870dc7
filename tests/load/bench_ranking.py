"""Ranking against SQL: the exact best 10 of 70,000 workers, ours in process against one query of the same rules.

Run: python -m tests.load.bench_ranking [--json out.json]. The SQL is written by hand, apart from the table of rules;
for every request both must give the same ids and points before anything is timed. Several indexes are tried and the
fastest one is the peer.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from msgspec.structs import astuple
from psycopg.types.numeric import Int4, Int4BinaryDumper, Int8

from banyan.testkit.servers import PrivatePostgres
from services.matching.ranking import TABLE_VERSION, TOP_K, Index, Request, Workers, kernel, vector, warm
from tests.load import province
from tests.load.province import FIELDS, FIGURES

K = TOP_K
CELL_M = 10_000
_PROBES = 150
_SETTINGS = {"shared_buffers": "512MB", "random_page_cost": "1.0", "max_parallel_workers_per_gather": "0"}
_COLUMNS = (
    "capacity", "free", "languages", "slots", "area", "level", "sex", "registered", "cross_area"
)  # fmt: skip

SCHEMA = """
CREATE TABLE posting (
    field int, cell int, at point, worker_id text COLLATE "C", proficiency int, x int, y int, capacity int, free int,
    languages int, slots int, area bigint, level int, sex int, registered int, cross_area int)
"""

QUERY = """
SELECT worker_id, (CASE proficiency WHEN 1 THEN %(proficiency_1_points)s WHEN 2 THEN %(proficiency_2_points)s
                                    ELSE %(proficiency_3_points)s END
       + %(nearest_points)s - %(nearest_points)s * metres / %(limit_m)s
       + %(all_free_points)s * free / capacity
       + CASE WHEN worker_id = ANY(%(earlier)s) THEN %(earlier_points)s ELSE 0 END
       + CASE WHEN languages & %(languages_asked)s <> 0 THEN %(asked_language_points)s ELSE 0 END
       + CASE WHEN level = %(min_level)s THEN %(exact_level_points)s ELSE 0 END
       + least(%(slots_most_points)s, %(slot_points)s * bit_count((slots & %(slots_wanted)s)::bit(31))))::int AS score
FROM posting, LATERAL (
    SELECT floor(sqrt(((x - %(x)s)::bigint * (x - %(x)s) + (y - %(y)s)::bigint * (y - %(y)s))::float8))::int AS metres
) AS distance
WHERE field = {field} AND {near} AND free > 0 AND metres <= %(limit_m)s
  AND level >= %(min_level)s AND registered >= %(registration_needed)s
  AND languages & %(languages_needed)s = %(languages_needed)s
  AND (%(sex_wanted)s = 0 OR sex = %(sex_wanted)s)
  AND (%(slots_wanted)s = 0 OR slots & %(slots_wanted)s <> 0)
  AND (area = ANY(%(line)s) OR (cross_area = 1 AND %(cross_area_allowed)s = 1))
  AND worker_id <> ALL(%(left_out)s)
ORDER BY score DESC, worker_id LIMIT {k}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to find the postings near a place: its index, and the condition that uses it."""

    title: str
    near: str
    index: tuple[str, ...]
    by_field: bool = True


_CIRCLE = "at <@ circle(point(%(x)s, %(y)s), %(limit_m)s + 1)"
_BOX = "at <@ box(point(%(x)s - %(limit_m)s, %(y)s - %(limit_m)s), point(%(x)s + %(limit_m)s, %(y)s + %(limit_m)s))"
PEERS = (
    Peer("GiST circle, a partial index a field", _CIRCLE, ("USING gist (at) WHERE field = {field} AND free > 0",)),
    Peer("GiST box, a partial index a field", _BOX, ("USING gist (at) WHERE field = {field} AND free > 0",)),
    Peer("SP-GiST box, a partial index a field", _BOX, ("USING spgist (at) WHERE field = {field} AND free > 0",)),
    Peer(
        "B-tree of cell, a partial index a field",
        "cell = ANY(%(cells)s)",
        ("(cell) WHERE field = {field} AND free > 0",),
    ),
    Peer("B-tree of (field, cell)", "cell = ANY(%(cells)s)", ("(field, cell)",), False),
    Peer("B-tree of field alone", "true", ("(field)",), False),
)


def cell(x: Any, y: Any) -> Any:
    """The number of a place's cell; ints or arrays."""
    return (y // CELL_M) * 1_000 + x // CELL_M


def cells(request: Request, limit_m: int) -> list[int]:
    """All cells of the square around a request."""
    spans = [range((at - limit_m) // CELL_M, (at + limit_m) // CELL_M + 1) for at in (request.x, request.y)]
    return [row * 1_000 + column for row in spans[1] for column in spans[0]]


def parameters(request: Request) -> dict[str, Any]:
    """What the query asks for, by name."""
    limit_m = FIGURES.limit_m(request.field, request.urgency)
    names = ("x", "y", "min_level", "registration_needed", "languages_needed", "sex_wanted", "slots_wanted")
    figures = [name for name in FIGURES.__slots__ if name.endswith("points")]
    return {
        **{name: getattr(FIGURES, name) for name in figures},
        **{name: getattr(request, name) for name in names},
        "cross_area_allowed": request.cross_area_allowed,
        "limit_m": limit_m,
        "languages_asked": request.languages_needed | request.languages_wished,
        "line": [Int8(code) for code in request.line],
        "earlier": list(request.earlier),
        "left_out": [*request.conflicts, *request.excluded],
        "cells": [Int4(each) for each in cells(request, limit_m)],
    }


class Sql:
    """The postings in PostgreSQL and the query by one peer's index."""

    def __init__(self, connection: psycopg.Connection[Any], peer: Peer) -> None:
        self._cursor = connection.cursor(binary=True)
        self._queries = [QUERY.format(field=field, near=peer.near, k=K) for field in range(FIELDS)]

    def rank(self, field: int, asked: dict[str, Any]) -> list[tuple[str, int]]:
        """The best K, as rows come."""
        return self._cursor.execute(self._queries[field], asked, prepare=True).fetchall()


def fill(connection: psycopg.Connection[Any], workers: Workers) -> None:
    """Copies every posting, by field and cell, so that neighbours share pages whichever index finds them."""
    connection.execute(SCHEMA)
    slots, fields = np.nonzero(workers.proficiency)
    near = cell(workers.rows["x"][slots].astype(int), workers.rows["y"][slots].astype(int))
    in_order = np.lexsort((near, fields))
    slots, fields = slots[in_order], fields[in_order]
    columns = [workers.rows[name][slots].tolist() for name in ("x", "y", *_COLUMNS)]
    proficiency = workers.proficiency[slots, fields].tolist()
    names = f"field, cell, at, worker_id, proficiency, x, y, {', '.join(_COLUMNS)}"
    with connection.cursor().copy(f"COPY posting ({names}) FROM STDIN") as copy:
        for slot, field, level, x, y, *rest in zip(slots.tolist(), fields.tolist(), proficiency, *columns, strict=True):
            copy.write_row((field, cell(x, y), f"({x},{y})", workers.ids[slot], level, x, y, *rest))


@contextmanager
def indexed(connection: psycopg.Connection[Any], peer: Peer) -> Any:
    """The table with one peer's indexes, and nothing else; dropped after."""
    connection.execute("DEALLOCATE ALL")
    names = []
    for number, index in enumerate(peer.index):
        for field in range(FIELDS) if peer.by_field else [0]:
            names.append(f"near_{number}_{field}")
            connection.execute(f"CREATE INDEX {names[-1]} ON posting {index.format(field=field)}")
    connection.execute("VACUUM ANALYZE posting")
    yield Sql(connection, peer)
    for name in names:
        connection.execute(f"DROP INDEX {name}")


def timed(call: Callable[[Any], Any], arguments: Sequence[Any]) -> list[float]:
    """Microseconds of each call."""
    taken = []
    for argument in arguments:
        begun = time.perf_counter_ns()
        call(argument)
        taken.append((time.perf_counter_ns() - begun) / 1_000)
    return taken


def told(taken: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in microseconds."""
    return {f"p{part}_us": round(float(np.percentile(taken, part)), 1) for part in (50, 99)}


def compare(sql: Sql, index: Index, tops: dict[str, kernel.Top], asked: list[Request]) -> int:
    """How many places were compared; stops (AssertionError) at the first request whose ids or points differ."""
    places = 0
    for request in asked:
        wanted = sql.rank(request.field, parameters(request))
        for name, top in tops.items():
            kernel.serve(top)
            found = [astuple(ranked) for ranked in index.rank(request, K)]
            assert found == wanted, f"{name} differs from SQL: {request}\n{found}\n{wanted}"
        places += len(wanted)
    return places


def updates(index: Index, workers: Workers, seed: int) -> dict[str, dict[str, float]]:
    """How long changes take: places taken (in place), a move across the province, out and in again."""
    draw = random.Random(seed)
    some = [workers.worker(draw.randrange(len(workers))) for _ in range(2_000)]
    busier = [replace(worker, load=worker.load + 1) for worker in some]
    moved = [replace(worker, x=worker.x + 50_000) for worker in some]
    leaving = list(dict.fromkeys(worker.id for worker in some))
    found = {"load": told(timed(index.add, busier)), "move": told(timed(index.add, moved))}
    found["remove"] = told(timed(index.remove, leaving))
    found["add"] = told(timed(index.add, some))
    return found


def rounds(
    sql: Sql, connection: Any, index: Index, tops: dict[str, kernel.Top], asked: list[Request], many: int
) -> list[dict[str, Any]]:
    """Interleaved rounds over all requests: SQL, then each of ours, then SQL's bare round trip."""
    shaped = [(request.field, parameters(request)) for request in asked]
    bare = connection.cursor(binary=True)
    found = []
    for _ in range(many):
        one = {"sql": told(timed(lambda each: sql.rank(*each), shaped))}
        for name, top in tops.items():
            kernel.serve(top)
            one[name] = told(timed(index.rank, asked))
        one["sql_round_trip"] = told(timed(lambda _: bare.execute("SELECT 1", prepare=True).fetchall(), asked))
        found.append(one)
        print("  ".join(f"{name} {us['p50_us']}/{us['p99_us']}" for name, us in one.items()), "us p50/p99", flush=True)
    return found


def best_peer(connection: Any, asked: list[Request]) -> tuple[Peer, dict[str, dict[str, float]]]:
    """The peer with the lowest p50 on some of the requests, and what each took."""
    shaped = [(request.field, parameters(request)) for request in asked]
    tried = {}
    for peer in PEERS:
        with indexed(connection, peer) as sql:
            timed(lambda each, sql=sql: sql.rank(*each), shaped)  # type: ignore[misc]
            tried[peer.title] = told(timed(lambda each, sql=sql: sql.rank(*each), shaped))  # type: ignore[misc]
        print(f"{peer.title}: {tried[peer.title]}", flush=True)
    return min(PEERS, key=lambda peer: tried[peer.title]["p50_us"]), tried


def measure(url: str, seed: int, size: int, many: int, times: int) -> dict[str, Any]:
    """Everything, as it goes into the JSON."""
    towns = province.places(seed)
    workers = province.workers(towns, size, seed)
    asked = province.requests(towns, workers, many, seed)
    begun = time.perf_counter()
    index = Index(workers, FIGURES)
    built_s = time.perf_counter() - begun
    tops: dict[str, kernel.Top] = {"numba": kernel.top()} if warm() else {}
    tops["numpy"] = vector.top
    ours = next(iter(tops))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.adapters.register_dumper(int, Int4BinaryDumper)  # one type, so one prepared statement a field
        fill(connection, workers)
        peer, tried = best_peer(connection, asked[:_PROBES])
        with indexed(connection, peer) as sql:
            places = compare(sql, index, tops, asked)
            print(f"equal: {places} places of {len(asked)} requests; peer: {peer.title}", flush=True)
            gc.disable()
            played = rounds(sql, connection, index, tops, asked, times)
    ratios = [one["sql"]["p50_us"] / one[ours]["p50_us"] for one in played]
    return {
        "ranking_vs_sql": round(statistics.median(ratios), 1),
        "ranking_vs_sql_rounds": [round(ratio, 1) for ratio in ratios],
        "ranking_numpy_vs_sql": round(statistics.median(o["sql"]["p50_us"] / o["numpy"]["p50_us"] for o in played), 1),
        "ours": ours, "peer": peer.title, "peers_tried": tried, "rounds": played, "equal_places": places,
        "seed": seed, "workers": size, "postings": int((workers.proficiency > 0).sum()), "requests": many,
        "index_built_s": round(built_s, 3), "updates": updates(index, workers, seed), "table_version": TABLE_VERSION,
    }  # fmt: skip


def main() -> None:
    """Starts a private PostgreSQL, measures, prints, writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path)
    options.add_argument("--seed", type=int, default=20_241)
    options.add_argument("--workers", type=int, default=70_000)
    options.add_argument("--requests", type=int, default=500)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    print(f"seed {chosen.seed}, {chosen.workers} generated workers, {chosen.requests} requests", flush=True)
    with tempfile.TemporaryDirectory(prefix="ranking-") as folder:
        server = PrivatePostgres(Path(folder), fsync=False, settings=_SETTINGS)
        try:
            server.start()
            found = measure(server.url, chosen.seed, chosen.workers, chosen.requests, chosen.rounds)
        finally:
            server.destroy()
    print(json.dumps(found, ensure_ascii=False, indent=1))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
