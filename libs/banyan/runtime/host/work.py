"""`banyan work`: plain threads for all that is not asked by a caller: relay, seals, heads, subscriptions, schedules,
notices, jobs. Any number of such processes may run; where one must do a thing alone, an advisory lock says which."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from banyan.kernel.refusal import Refused
from banyan.runtime.commands.bus import Bus
from banyan.runtime.events import lag, park, react, reference, seal
from banyan.runtime.events import log as event_log
from banyan.runtime.events.broker import Inbox, Publisher
from banyan.runtime.events.outlet import Outlet
from banyan.runtime.events.relay import Relay
from banyan.runtime.events.subscribe import Apply, Subscription
from banyan.runtime.host import jobs, scratch, upkeep
from banyan.runtime.host.app import App
from banyan.runtime.host.db import Pool
from banyan.runtime.host.erasures import Ledger
from banyan.runtime.host.log_reader import LogReader
from banyan.runtime.host.loops import Leader, Loop, led
from banyan.runtime.host.reference import SUBSCRIPTION
from banyan.runtime.host.schedule import Schedule
from banyan.runtime.notify.send import Sender
from banyan.runtime.rpc.threads import ThreadClient
from banyan.vault.keys import SigningUnavailable
from banyan.vault.sign import Signer
from banyan.wire.cloudevents import spliced

log = structlog.get_logger()
HEADS_S, NEW_HEADS_S, LOOK_S = 60, 10, 10
UNSIGNED = (
    "select exists (select 1 from stream s where s.position >"
    " (select coalesce(max(h.position), -1) from head h where h.stream = s.name))"
)


class Work:
    """The loops of one service in this process."""

    def __init__(self, app: App, client: ThreadClient) -> None:
        self.app, self.reader = app, LogReader(client, app)
        self.loops: list[Loop] = []
        self._leader_url = app.settings.database_url(app.service.name)
        self._start_relay()
        self._start_seals()
        for name, streams, apply in self._subscriptions():
            self._start_subscription(name, streams, apply)
        for schedule in app.service.schedules:
            self._start_schedule(schedule)
        if any(job.service == app.service.package for job in jobs.JOBS):
            self.loops.append(Loop(f"{app.service.name}.jobs", self._jobs, pause_s=1.0))
        keep_up = partial(upkeep.turn, app.service.name, app.pool)
        self._add_led("upkeep", keep_up, pause_s=upkeep.EVERY_S)
        self._add_led("outlet", Outlet(app.service.name, app.pool, app.settings.amqp_url).turn, pause_s=0.5)
        sender = Sender(app.bus, app.settings)
        self._add_led("notices", sender.turn, pause_s=0.2)

    def start(self) -> None:
        """Starts every loop."""
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        """Tells every loop to end after its turn."""
        for loop in self.loops:
            loop.stop()

    def join(self) -> None:
        """Waits until every loop has ended."""
        for loop in self.loops:
            loop.join(timeout=10)

    def _jobs(self) -> bool:
        """Long work; each job has a lock of its own."""
        return jobs.turn(self.app.bus, self.loops[0].stopping.is_set) > 0

    def _add_led(self, name: str, turn: Callable[[], bool], *, pause_s: float) -> Leader:
        name = f"{self.app.service.name}.{name}"
        leader = Leader(self._leader_url, name)
        self.loops.append(Loop(name, led(leader, turn), pause_s=pause_s))
        return leader

    def _start_relay(self) -> None:
        """Two loops: positions are given whatever the broker does, for the log is what others read; then they are sent."""
        relay = Relay(self.app.service.name, self.app.pool)
        publisher = Publisher(self.app.settings.amqp_url, f"relay {self.app.service.name}")
        news = threading.Event()

        def position() -> bool:
            if relay.position():
                news.set()
            else:
                leader.wait_for("outbox", 0.5)
            return True

        def send() -> bool:
            news.wait(1.0)
            news.clear()
            try:
                return publish(relay, publisher) > 0
            except Exception:
                publisher.close()
                raise

        leader = self._add_led("relay", position, pause_s=0.2)
        self._add_led("publish", send, pause_s=0.0)

    def _start_seals(self) -> None:
        service, pool, signer = self.app.service.name, self.app.pool, Signer(self.app.keys)
        ledger = Ledger(self.app.settings.ledger_folder())
        signed_at = 0.0

        def turn() -> bool:
            nonlocal signed_at
            since_s = time.monotonic() - signed_at
            with_signature = since_s > HEADS_S or (since_s > NEW_HEADS_S and moved(pool))
            with pool.connection() as connection:
                ledger.note(service, connection)
            more = sealed_while_signing_works(service, pool, signer) >= seal.BATCH
            if with_signature:
                sign_all(service, pool, signer)
                signed_at = time.monotonic()
            return more

        self._add_led("seals", turn, pause_s=1.0)

    def _subscriptions(self) -> list[tuple[str, Sequence[str], Apply]]:
        service, bus = self.app.service, self.app.bus
        found: list[tuple[str, Sequence[str], Apply]] = [(SUBSCRIPTION, reference.STREAMS, reference.keep)]
        if service.reactions:
            streams = sorted({event.stream for event in service.reactions})
            found.append(("reactions", streams, react.reacting(bus, "reactions")))
            self._start_retries(bus)
        if service.projections:
            fold = service.projections.__getitem__
            found.append(("projections", sorted(service.projections), react.projecting(bus, fold)))
        return found

    def _start_retries(self, bus: Bus) -> None:
        kinds = react.reaction_kinds(bus.service)

        def turn() -> bool:
            park.retry(self.app.pool, "reactions", lambda item: react.react(bus, "reactions", item, kinds))
            return False

        self._add_led("parked", turn, pause_s=self.app.settings.parked_s)

    def _start_subscription(self, name: str, streams: Sequence[str], apply: Apply) -> None:
        subscription = Subscription(name, streams, self.app.pool, apply, self.reader.fetch)
        vhost_queue = f"banyan.{self.app.settings.database_prefix}{self.app.service.name}.{name}"
        inbox = Inbox(self.app.settings.amqp_url, vhost_queue, streams)
        looked_at = -float(LOOK_S)

        def turn() -> bool:
            nonlocal looked_at
            if time.monotonic() - looked_at > LOOK_S:  # first, for the broker may have nothing to say
                looked_at = time.monotonic()
                self._catch_up(subscription)
            bodies = inbox.take(500, wait_s=1.0, gather_s=0.005)
            if bodies:
                subscription.take(bodies)
                inbox.done(len(bodies))
            return True

        self.loops.append(Loop(f"{self.app.service.name}.{name}", turn, pause_s=0.2, failed=inbox.close))

    def _catch_up(self, subscription: Subscription) -> None:
        """Reads from the log what the broker has not brought, and notes how far behind that was."""
        heads = self.reader.heads(subscription.streams)
        if subscription.name == "projections":
            with self.app.pool.connection() as connection, connection.transaction():
                now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
                lag.note(connection, subscription.name, heads, now)
        catch_up(subscription, heads)

    def _start_schedule(self, schedule: Schedule) -> None:
        def turn() -> bool:
            run_schedule(self.app.bus, schedule)
            return False

        self._add_led(f"schedule.{schedule.name}", turn, pause_s=schedule.seconds)


def publish(relay: Relay, publisher: Publisher) -> int:
    """Publishes what no confirm has covered and marks it; answers how many."""
    rows = relay.unpublished()
    if not rows:
        publisher.beat()
        return 0
    publisher.publish((stream, spliced(bytes(b), bytes(s), bytes(d), bytes(c))) for stream, _, s, d, c, b in rows)
    relay.mark({stream: position for stream, position, *_ in rows})
    return len(rows)


def sealed_while_signing_works(service: str, pool: Pool, signer: Signer) -> int:
    """Seals only while the key can be read: a seal without a signed head would prove nothing."""
    try:
        signer.begin()
    except SigningUnavailable as error:
        log.error("签名密钥不可读，审计记录暂不能封存", service=service, reason=dict(error.facts))
        return 0
    return seal.seal(service, pool)


def moved(pool: Pool) -> bool:
    """Whether a stream has a position that no signed head covers."""
    with pool.connection() as connection:
        return bool(connection.execute(UNSIGNED).fetchone()[0])  # type: ignore[index]


def sign_all(service: str, pool: Pool, signer: Signer) -> None:
    """Signs the heads of all streams and of the audit trail."""
    with pool.connection() as connection, connection.transaction():
        states = connection.execute("select name, position, chain from stream").fetchall()
        audit_at, audit_chain = seal.state(connection, service)
        event_log.sign_heads(connection, signer, [*states, (seal.stream_of(service), audit_at, audit_chain)])


def catch_up(subscription: Subscription, heads: dict[str, int]) -> None:
    """Reads from the log what the broker has not brought; it may have lost everything."""
    positions = subscription.positions()
    for stream, head in heads.items():
        if head > positions[stream]:
            subscription.catch_up(stream, head)


def run_schedule(bus: Bus, schedule: Schedule) -> None:
    """Gives the commands that are due, each under its own key; one refusal does not keep the others."""
    with bus.own_db() as db:
        due = list(schedule.due(db, db.context))
    for key, command in due:
        try:
            bus.system(command, f"{schedule.name}:{key}")
        except Refused as refused:
            log.warning("到期事项未能办理", schedule=schedule.name, key=key, code=refused.code)


def run(apps: Sequence[App], *, ready: Callable[[], None] | None = None) -> None:
    """Works for all the services until SIGTERM."""
    scratch.sweep()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client = ThreadClient(apps[0].settings.amqp_url, connection_name="banyan work")
    works = [Work(app, client) for app in apps]
    for work in works:
        work.start()
    if ready:
        ready()
    stop.wait()
    for work in works:
        work.stop()
    for work in works:
        work.join()
    client.close()
