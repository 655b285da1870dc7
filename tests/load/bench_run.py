"""A matching run as a service: seconds until all its offers are out, in one step, and other calls to the service beside it.

Parts `applied` and `beside` of `make bench-matching`. Requests and workers are copies of one of each, spread over a county by
their numbers. The other calls are one caller's over RPC, a question and a command in turn.
"""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg

from banyan.cli.laptop import Laptop
from banyan.contracts import matching as m
from banyan.kernel.context import Caller
from banyan.kernel.message import Command, Query
from banyan.runtime.commands import codec
from banyan.runtime.host import jobs, memory
from banyan.runtime.host.app import system_token
from banyan.runtime.rpc.threads import ThreadClient
from banyan.testkit.owned import at_path
from banyan.vault.keys import KeyFolder
from services.matching.domain.request import Request
from tests.flows.matching_platform import Platform, matching_on, triaged, workers
from tests.load import bench_instance as bench
from tests.rules.matching_given import COUNTY, DUTY, LEAD, SYSTEM, assess, call_for_help, keep

Figures = dict[str, Any]
ONE, TEN = 1, 10  # candidates that each request has from the online ranking
SIZES = {"5k": (5_000, ONE), "20k": (20_000, ONE), "20k_ten": (20_000, TEN), "100k": (100_000, ONE)}
BESIDE, ROUNDS = 5_000, 3
RUN_S = 60  # what can be sent out is found by then; computing itself is measured apart
FORGET_THE_MOST = "5"  # proc(5), clear_refs: VmHWM begins anew
SPREAD_UDEG = 400_000  # some forty kilometres
WARM_S, IDLE_S, WAIT_S, TIMEOUT_S, LOOK_S = 5.0, 5.0, 300.0, 30.0, 0.2
WARMING, IDLE, COMPUTING, SENDING = "warming", "idle", "computing", "sending"
COPY_REQUESTS = """
with n as (select n, 'rq-bench-' || lpad(n::text, 7, '0') id from generate_series(1, %(many)s) n),
made as (insert into request (id, version, division, body)
    select n.id, 1, r.division, r.body || jsonb_build_object('id', n.id, 'urgency', n.n %% 3, 'point',
        r.body -> 'point' || jsonb_build_object('lon_udeg', 118100000 + n.n * 7919::bigint %% %(spread)s,
        'lat_udeg', 24450000 + n.n * 104729::bigint %% %(spread)s))
    from request r, n where r.id = %(id)s returning id, version, body)
insert into request_history (id, version, effective_on, known_at, body)
    select id, version, current_date, banyan_now(), body from made
"""
COPY_WORKERS = """
with n as (select n, 'a-bench-' || lpad(n::text, 7, '0') id from generate_series(1, %(many)s) n),
made as (insert into worker (id, version, division, body)
    select n.id, 1, w.division, w.body || jsonb_build_object('id', n.id, 'supply', w.body -> 'supply' ||
        jsonb_build_object('person_id', 'p-' || n.id, 'account', 'acc-' || n.id,
        'lon_udeg', 118100000 + n.n * 15485863::bigint %% %(spread)s,
        'lat_udeg', 24450000 + n.n * 32452843::bigint %% %(spread)s))
    from worker w, n where w.id = 'a-w0' returning id, version, body)
insert into worker_history (id, version, effective_on, known_at, body)
    select id, version, current_date, banyan_now(), body from made
"""


def plant(connection: Any, many: int, request_id: str) -> None:
    """So many copies of a request that waits, and half as many of the worker a-w0, of three places each."""
    connection.execute(COPY_REQUESTS, {"many": many, "spread": SPREAD_UDEG, "id": request_id})
    connection.execute(COPY_WORKERS, {"many": many // 2, "spread": SPREAD_UDEG})
    connection.execute("vacuum analyze")


def applied() -> Figures:
    """Seconds from the order to the result, and from the confirmation to all offers: read, checked and written; and by how
    much this process, which does what `work` does, grew at the most, and has grown when it is over."""
    figures: Figures = {}
    for name, (many, candidates) in SIZES.items():
        offers, computed_s, applied_s, (before, most, after) = _applied(many, candidates)
        bench.progress(f"  {offers} 个派单：算出 {computed_s:.1f} 秒，派出 {applied_s:.1f} 秒，内存最多 {most} MB，之后 {after} MB")
        figures |= {
            f"apply_{name}_offers": offers,
            f"run_{name}_s": computed_s,
            f"apply_{name}_s": applied_s,
            f"apply_{name}_most_mb": most - before,
            f"apply_{name}_kept_mb": after - before,
        }
    return figures


def memory_mb(which: str) -> int:
    """VmRSS: what this process has; VmHWM: the most since that was asked to be forgotten."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1]) // 1000


def _applied(many: int, candidates: int) -> tuple[int, float, float, tuple[int, int, int]]:
    with (
        bench.private_postgres("run") as postgres,
        tempfile.TemporaryDirectory(prefix="banyan-run-bench-") as folder,
        matching_on(postgres.url, Path(folder)) as platform,
    ):
        workers(platform, candidates)
        id = triaged(platform)
        with platform.pool.connection() as connection:
            plant(connection, many, id)
        memory.trim()
        before = memory_mb("VmRSS")
        run_id = str(platform.do(DUTY, m.StartRun(division=COUNTY, reason="测量", deadline_s=RUN_S))["id"])
        computed_s = bench.seconds(lambda: jobs.turn(platform.bus))
        platform.do(DUTY, m.ConfirmRun(run_id=run_id))
        Path("/proc/self/clear_refs").write_text(FORGET_THE_MOST)
        applied_s = bench.seconds(lambda: jobs.turn(platform.bus))
        mb = (before, memory_mb("VmHWM"), memory_mb("VmRSS"))
        return _offers(platform, run_id), computed_s, applied_s, mb


def _offers(platform: Platform, run_id: str) -> int:
    view = platform.ask(DUTY, m.GetRun(run_id=run_id))
    if view.state != "applied":
        raise RuntimeError(f"{view.state}: {view.ended_reason or view.trouble}")
    return int(view.summary.served)


@dataclass
class Calls:
    """Calls to matching, one after another; milliseconds of each by what the run was doing meanwhile."""

    client: ThreadClient
    keys: KeyFolder
    now: str = WARMING
    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def call(self, who: Caller, message: Command | Query) -> dict[str, Any]:
        """One call; raises Refused."""
        key = str(uuid.uuid4()) if isinstance(message, Command) else None
        body, token = msgspec.json.encode(message), system_token(self.keys, who)
        answer = self.client.call("matching", message.method(), body, token=token, key=key, timeout_s=TIMEOUT_S)
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found

    def until(self, run_id: str, state: str, doing: str) -> None:
        """Notes calls under `doing` until the run is in the state."""
        self.now, until = doing, time.monotonic() + WAIT_S
        while (view := self.call(DUTY, m.GetRun(run_id=run_id)))["state"] != state:
            if time.monotonic() > until:
                raise RuntimeError(f"not {state}: {view}")
            time.sleep(LOOK_S)
        self.now = IDLE

    @contextmanager
    def going_on(self, request_id: str) -> Iterator[None]:
        """Meanwhile somebody asks, orders, asks …"""
        stop = threading.Event()
        caller = threading.Thread(target=self._go_on, args=(stop, request_id))
        caller.start()
        try:
            yield
        finally:
            stop.set()
            caller.join()

    def _go_on(self, stop: threading.Event, request_id: str) -> None:
        while not stop.is_set():
            for message in (m.RequestDetail(request_id=request_id), call_for_help()):
                doing, begun = self.now, time.perf_counter()
                self.call(LEAD, message)
                self.took_ms[doing].append((time.perf_counter() - begun) * 1000)


@contextmanager
def running() -> Iterator[tuple[Laptop, Calls]]:
    """serve and work of matching on servers of their own, and somebody who calls."""
    with tempfile.TemporaryDirectory(prefix="banyan-run-bench-") as folder:
        Path(folder).chmod(0o711)
        laptop = Laptop(
            Path(folder) / "run",
            mode="test",
            services=("services.matching",),
            processes=("serve", "work"),
            keys=Path(folder) / "keys",
        )
        try:
            laptop.up(bench.progress)
            client = ThreadClient(laptop.rabbit.url, connection_name="bench run")
            try:
                yield laptop, Calls(client, KeyFolder(laptop.key_folder))
            finally:
                client.close()
        finally:
            laptop.reset(bench.progress)


def beside() -> Figures:
    """p99 of other calls while runs compute, and while one is sent out, over that of the idle service around them."""
    with running() as (laptop, calls):
        id = _planted(laptop, calls)
        with calls.going_on(id):
            time.sleep(WARM_S)
            for turn in range(ROUNDS):
                calls.now = IDLE
                time.sleep(IDLE_S)
                run_id = str(calls.call(DUTY, m.StartRun(division=COUNTY, reason="测量"))["id"])
                calls.until(run_id, "computed", COMPUTING)
                if turn < ROUNDS - 1:
                    calls.call(DUTY, m.CancelRun(run_id=run_id, reason="测量"))
            time.sleep(IDLE_S)
            calls.call(DUTY, m.ConfirmRun(run_id=run_id))
            calls.until(run_id, "applied", SENDING)
    p99 = {doing: float(np.percentile(took, 99)) for doing, took in calls.took_ms.items()}
    return {
        "rpc_p99_during_batch": p99[COMPUTING] / p99[IDLE],
        "rpc_p99_during_apply": p99[SENDING] / p99[IDLE],
        "rpc_beside_p99_ms": p99,
        "rpc_beside_calls": {doing: len(took) for doing, took in calls.took_ms.items()},
    }


def _planted(laptop: Laptop, calls: Calls) -> str:
    """Fills the running service; answers the request that is asked about."""
    calls.call(SYSTEM, keep(0))
    id = str(calls.call(LEAD, call_for_help())["id"])
    settings = laptop.settings()
    with psycopg.connect(at_path(settings.postgres_url, f"{settings.database_prefix}matching"), autocommit=True) as to:
        body = to.execute("select body::text from request where id = %s", (id,)).fetchone()
        assert body is not None
        calls.call(LEAD, assess(codec.decode(body[0], Request)))
        plant(to, BESIDE, id)
    return id
