"""Long lists: the duty board over 100,000 open requests, exports of 100,000 rows: `python -m tests.load.bench_lists`.

In process, on a PostgreSQL of its own. Requests are copies of a few made by real commands, dealt out to all villages of the
province; insight's rows are generated, three versions each. Memory is resident, in MB (10^6), of this process, which does what
`work` does, and of the process that writes the file.
"""

from __future__ import annotations

import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from banyan.contracts import insight
from banyan.contracts import matching as m
from banyan.runtime.host import jobs, memory
from banyan.testkit.owned import create_database
from services.identity import data
from services.matching import schedules
from tests.flows.insight_instance import PROVINCE, Insight, analyst, running_insight
from tests.flows.matching_platform import Platform, matching_on, taken, triaged, workers
from tests.load import bench_instance as bench
from tests.load.bench_run import FORGET_THE_MOST, memory_mb
from tests.rules.matching_given import GOOD, LEAD, by, caller

OPEN, CLIENTS, ASKED = 100_000, 5_000, 200
AREAS = {"province": PROVINCE, "city": "350100000000", "county": "350181000000"}
LONG_AGO = dt.date(2021, 1, 1)
INSTANT = """to_jsonb(to_char(({}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))"""
DEAL = f"""
insert into request (id, version, division, body)
select 'rq-' || r.id || '-' || n, 1, v.code, r.body || jsonb_build_object(
    'id', 'rq-' || r.id || '-' || n, 'division', v.code, 'urgency', case when r.urgency = 3 then 3 else n %% 3 end,
    'subject_id', 'p-' || r.id || n, 'client_id', 'p-' || r.id || n,
    'taken_at', {INSTANT.format("banyan_now() - n * interval '17 seconds'")},
    'due_at', {INSTANT.format("banyan_now() + (n * 7919 %% 2880 + 1) * interval '1 minute'")}) || case
    when r.state = 'accepted' then jsonb_build_object(
        'accepted_at', {INSTANT.format("banyan_now() - (n * 104729 %% 9000) * interval '1 minute'")}) else '{{}}' end
from request r, generate_series(1, %(many)s) n join (
    select code, row_number() over (order by code) place from unnest(%(villages)s::text[]) code) v
    on v.place = 1 + n * 7919::bigint %% cardinality(%(villages)s::text[])
where r.id = %(id)s
"""
NOTED = """
insert into client (id, version, division, body) select id, 1, division, jsonb_build_object('id', id, 'division', division,
    'alias_of', case when n / %(every)s %% 5 < 3 then id || 'x' end, 'erased_on', case when n / %(every)s %% 5 > 2 then '2026-01-01' end)
from (select subject_id as id, division, row_number() over (order by id) n from request) r where n %% %(every)s = 0
"""
KEYS = """
insert into person_key (person_id, wrapped, destroyed_at)
select r.subject_id, case when c.erased_on is null then k.wrapped end, case when c.erased_on is not null then now() end
from (select wrapped from person_key limit 1) k, request r left join client c on c.id = r.subject_id
on conflict do nothing
"""
FOLLOWED = """
update request r set body = r.body || jsonb_build_object('client_id', coalesce(c.alias_of, c.id), 'erased_on', c.erased_on)
from client c where c.id = r.subject_id
"""
REQUESTS = """
insert into request (request_id, from_pos, until_pos, from_at, until_at, division, field, client_group, urgency, protected,
    state, taken_at, accepted_at, wait_min, offers, declines, expired, overrides, escalations, minutes_served)
select 'q-' || lpad(n::text, 8, '0'), n * 3 + v, case when v < 2 then n * 3 + v + 1 end, at + v * interval '1 hour',
    case when v < 2 then at + (v + 1) * interval '1 hour' end, (%(villages)s::text[])[1 + n %% cardinality(%(villages)s::text[])],
    'family', 'older', n %% 4, n %% 50 = 0, (array['waiting', 'accepted', 'serving'])[v + 1], at,
    case when v > 0 then at + interval '1 hour' end, case when v > 0 then 60 end, v, 0, 0, 0, 0, 0
from (select n, '2026-01-01'::timestamptz + n * interval '1 minute' as at from generate_series(1, %(many)s) n) n,
    generate_series(0, 2) v
"""
STAND = "insert into cursor values ('projections', 'matching.request', %s)"


def measure(rounds: int) -> dict[str, Any]:
    """Both, one after the other; so many exports of each kind."""
    with bench.private_postgres("lists") as postgres:
        return _board(postgres.url) | _exports(postgres.url, rounds)


def _villages() -> list[str]:
    return [row.code for row in data.tree().standing(LONG_AGO + dt.timedelta(days=1900), "village")]


def _board(url: str) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="banyan-lists-") as folder, matching_on(url, Path(folder)) as platform:
        with psycopg.connect(platform.app.settings.owner_url("matching"), autocommit=True) as owner:
            _deal(platform, owner)
        for area, division in AREAS.items():
            officer = caller(f"acc-{area}", ("duty_officer", division))
            spent = _asked_ms(partial(platform.ask, officer, m.DutyBoard()))
            figures[f"board_{area}_lines"] = sum(platform.ask(officer, m.DutyBoard()).counts.values())
            figures |= {f"board_{area}_p50_ms": spent[ASKED // 2], f"board_{area}_p99_ms": spent[ASKED * 99 // 100]}
        followed = {"aliases": schedules.ALIASES, "erased": schedules.ERASED, "members": schedules.MEMBERS}
        with platform.bus.own_db() as db:
            for name, sql in followed.items():
                figures[f"follow_{name}_p50_ms"] = _asked_ms(partial(db.rows, sql, {"batch": schedules.BATCH}))[
                    ASKED // 2
                ]
    bench.progress(f"  {figures}")
    return figures


def _asked_ms(ask: Callable[[], object]) -> list[float]:
    """How long a question takes, the shortest first."""
    return sorted(round(1000 * bench.seconds(ask), 2) for _ in range(ASKED))


def _deal(platform: Platform, owner: Any) -> None:
    """Open requests in the states in which a busy province has them; a few of the clients merged or erased."""
    workers(platform, 3)
    accepted, serving, dispatched = (_accepted(platform), _accepted(platform), triaged(platform))
    platform.do(by(platform.request(serving).worker_id), m.StartService(request_id=serving, outcome=GOOD))
    platform.do(LEAD, m.DispatchNext(request_id=dispatched))
    platform.tick(minutes=1)
    held, guarded = triaged(platform, field="welfare"), {"confidentiality": "protected", "protected_kind": "violence"}
    shares = {
        triaged(platform): 20,
        dispatched: 15,
        accepted: 15,
        serving: 17,
        held: 30,
        taken(platform, urgency=3): 0.5,
        taken(platform, urgency=3, separate_consent=True, **guarded): 0.1,
        triaged(platform, separate_consent=True, **guarded): 2.4,
    }
    for id, percent in shares.items():
        owner.execute(DEAL, {"id": id, "many": int(OPEN * percent / 100), "villages": _villages()})
    owner.execute(NOTED, {"every": OPEN // CLIENTS})
    owner.execute(KEYS)
    owner.execute(FOLLOWED)
    owner.execute("vacuum analyze")


def _accepted(platform: Platform) -> str:
    id = triaged(platform)
    platform.do(LEAD, m.DispatchNext(request_id=id))
    platform.tick(minutes=1)
    offer = platform.request(id).offer
    assert offer is not None, "there are three workers"
    platform.do(by(offer.worker_id), m.AcceptOffer(request_id=id))
    return id


def _exports(url: str, rounds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for many in (OPEN, 3 * OPEN):
        with running_insight(create_database(url, f"banyan_test_lists_{many}")) as running:
            with running.pool.connection() as connection:
                connection.execute(REQUESTS, {"many": many, "villages": _villages()})
                connection.execute(STAND, (many * 3 + 3,))
            with psycopg.connect(running.settings.owner_url("insight"), autocommit=True) as owner:
                owner.execute("vacuum analyze")
            for format in ("csv", "parquet", "xlsx"):
                made = [_export(running, format) for _ in range(rounds)]
                figures[f"export_{many}_{format}"] = made
                bench.progress(f"  {many} 行 {format}：{made}")
    return figures


def _export(running: Insight, format: str) -> dict[str, Any]:
    asked = insight.StartExport(
        division=PROVINCE, table="request_list", format=format, of="taken", on=dt.date(2027, 1, 1)
    )
    id = str(running.order(asked, analyst())["id"])
    memory.trim()
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text(FORGET_THE_MOST)
    made_s = bench.seconds(lambda: jobs.turn(running.bus))
    most, children = memory_mb("VmHWM"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000
    view = running.bus.ask(insight.GetExport(export_id=id), analyst())
    begun, part, got = time.perf_counter(), 0, 0
    while got < view.size:
        got += len(running.bus.ask(insight.ReadExport(export_id=id, part=part), analyst()).content)
        part += 1
    return {
        "rows": view.rows,
        "made_s": round(made_s, 1),
        "read_s": round(time.perf_counter() - begun, 2),
        "size_mb": round(view.size / 1e6, 1),
        "grew_mb": most - before,
        "kept_mb": memory_mb("VmRSS") - before,
        "writer_most_mb": children,
    }


if __name__ == "__main__":
    bench.main(__doc__, measure, rounds=1)
