"""The soak's faults, at moments drawn from the seed; each ends with everything running again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from banyan.cli.laptop import Laptop

FREEZE_S, DARK_MOST_S, CALM_S = 2.0, 4.0, (2.0, 12.0)
HOLD_S, HOLD_SHARE = 60.0, 0.1  # a transaction is held open so long, or for that share of a short soak
HELD = ("identity", "matching")  # another database, and the one whose events are timed
DELAYS = (
    "select count(*), percentile_disc(0.9) within group (order by delay), max(delay) from (select extract(epoch from"
    " iso_instant(item ->> 'knownat') - iso_instant(item ->> 'recordedat')) as delay from"
    " (select convert_from(body, 'UTF8')::jsonb as item from log where stream = 'matching.request') events"
    " where iso_instant(item ->> 'recordedat') between %s and %s) delays"
)
SLOWER_MOST, GRACE_S = 3.0, 1.0


@dataclass
class Faults:
    """Breaks and mends one instance. `died`: processes that ended without being told to."""

    laptop: Laptop
    draw: random.Random
    hours: float
    done: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    delays: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    memory: list[dict[str, int]] = field(default_factory=list)  # MB of each process, now and then

    def run(self, until: float, tick: Callable[[str], None]) -> None:
        """All faults in a drawn order, then again, until the monotonic moment `until`; `tick` hears of each."""
        while True:
            for name in self.draw.sample(sorted(KINDS), len(KINDS)):
                calm_until = time.monotonic() + self.draw.uniform(*CALM_S)
                while time.monotonic() < min(calm_until, until):
                    time.sleep(0.2)
                if time.monotonic() >= until:
                    return
                tick(name)
                KINDS[name](self)
                self.done.append(name)
                self._mend()

    def _mend(self) -> None:
        """Every process serves; one that is not there was lost by itself."""
        for name in self.laptop.processes:
            if self.laptop.process(name) is None:
                self.died.append(name)
                self.laptop.start(name)
            self.laptop.wait_ready(name)

    def _dark(self) -> None:
        time.sleep(self.draw.uniform(0, DARK_MOST_S))

    def killed(self, process: str) -> None:
        """kill -9, some seconds of absence, a new start."""
        self.laptop.kill(process)
        self._dark()
        self.laptop.start(process)

    def stopped(self, process: str) -> None:
        """SIGTERM during work, and a new start."""
        self.laptop.stop(process)
        self.laptop.start(process)

    def frozen(self, process: str) -> None:
        """SIGSTOP for two seconds."""
        found = self.laptop.process(process)
        if found is not None:
            found.send_signal(signal.SIGSTOP)
            time.sleep(FREEZE_S)
            found.send_signal(signal.SIGCONT)

    def server_killed(self, name: str) -> None:
        """kill -9 of a server with all its processes, some seconds of absence, a new start."""
        server = self.laptop.postgres if name == "postgres" else self.laptop.rabbit
        server.kill()
        self._dark()
        server.start()

    def server_frozen(self, name: str) -> None:
        """SIGSTOP of a whole server for two seconds."""
        server = self.laptop.postgres if name == "postgres" else self.laptop.rabbit
        server.freeze()
        try:
            time.sleep(FREEZE_S)
        finally:
            server.thaw()

    def rabbit_restarted(self) -> None:
        """An orderly restart of the broker."""
        self.laptop.rabbit.restart()

    def broker_and_worker_killed(self) -> None:
        """Two at once: what the broker lost must come from the log of a worker that is new, too."""
        self.laptop.kill("work")
        self.server_killed("rabbit")
        self.laptop.start("work")

    def transaction_held(self) -> None:
        """A write transaction held open in another database and in the events' own delays no event."""
        hold_s = min(HOLD_S, HOLD_SHARE * self.hours * 3600)
        for name in self.laptop.processes:
            self.laptop.wait_ready(name)
        time.sleep(hold_s / 4)
        calm = self._delay(hold_s / 2)
        held = [psycopg.connect(self._url(service)) for service in HELD]
        try:
            for connection in held:
                connection.execute("create table held (x int)")
            during = self._delay(hold_s)
        finally:
            for connection in held:
                connection.close()
        said = "；".join(f"{word} {n} 个事件 p90 {p90:.2f} 秒，最长 {most:.2f}" for word, (n, p90, most) in
                        (("未占用", calm), ("占用中", during)))  # fmt: skip
        self.delays.append(f"写事务占用 {hold_s:.0f} 秒：{said}")
        if not during[0] or during[1] > max(SLOWER_MOST * calm[1], calm[1] + GRACE_S):
            self.late.append(self.delays[-1])

    def _delay(self, span_s: float) -> tuple[int, float, float]:
        """Of the events recorded in the coming seconds: how many, and their delay until they had a position (p90, most)."""
        with psycopg.connect(self._url("matching"), autocommit=True) as connection:
            begun = connection.execute("select now()").fetchone()
            time.sleep(span_s)
            ended = connection.execute("select now()").fetchone()
            assert begun and ended
            time.sleep(GRACE_S)
            row = connection.execute(DELAYS, (*begun, *ended)).fetchone()
        assert row
        return int(row[0]), float(row[1] or 0), float(row[2] or 0)

    def _url(self, service: str) -> str:
        return self.laptop.postgres.url_of(f"{self.laptop.state['prefix']}{service}")


KINDS: dict[str, Callable[[Faults], None]] = {
    "kill -9 serve": lambda faults: faults.killed("serve"),
    "kill -9 work": lambda faults: faults.killed("work"),
    "kill -9 gateway": lambda faults: faults.killed("gateway"),
    "SIGTERM serve": lambda faults: faults.stopped("serve"),
    "SIGTERM work": lambda faults: faults.stopped("work"),
    "SIGSTOP serve": lambda faults: faults.frozen("serve"),
    "SIGSTOP work": lambda faults: faults.frozen("work"),
    "kill -9 PostgreSQL": lambda faults: faults.server_killed("postgres"),
    "kill -9 RabbitMQ": lambda faults: faults.server_killed("rabbit"),
    "SIGSTOP PostgreSQL": lambda faults: faults.server_frozen("postgres"),
    "SIGSTOP RabbitMQ": lambda faults: faults.server_frozen("rabbit"),
    "restart RabbitMQ": Faults.rabbit_restarted,
    "kill -9 RabbitMQ + work": Faults.broker_and_worker_killed,
    "held transaction": Faults.transaction_held,
}
