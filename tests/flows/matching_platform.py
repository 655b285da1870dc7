"""Matching on a real PostgreSQL in this process: commands, reactions, clocks and notices, each when the test says so."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from banyan.cli.clock import forward
from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.context import Caller
from banyan.kernel.message import Command, Query
from banyan.kernel.policy import Figure
from banyan.runtime.commands import access, codec
from banyan.runtime.commands.bus import Order
from banyan.runtime.events import log, react
from banyan.runtime.events.relay import Relay
from banyan.runtime.events.subscribe import Subscription
from banyan.runtime.host.app import App
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.runtime.host.work import run_schedule
from banyan.runtime.notify.send import Sender
from banyan.testkit.owned import drop_database
from banyan.vault.keys import create
from services.matching.domain.request import Request
from services.matching.service import SERVICE
from tests.rules.matching_given import LEAD, PROVINCIAL, SYSTEM, assess, call_for_help, keep

OWN = ("matching.request", "matching.worker")
DEADLINE_S = 30


class Platform:
    """One service without its processes: what `serve` and `work` would do happens on demand."""

    def __init__(self, app: App) -> None:
        self.app, self.bus, self.pool = app, app.bus, app.pool
        self._relay = Relay("matching", app.pool)
        self._reactions = Subscription("reactions", OWN, app.pool, react.reacting(app.bus, "reactions"), self._fetch)
        self._sender = Sender(app.bus, app.settings)

    def do(
        self, caller: Caller, command: Command, key: str | None = None, within_s: float = DEADLINE_S
    ) -> dict[str, Any]:
        """A command as a caller gives it; answers what the caller would read."""
        access.require_duty(type(command), caller)
        order = Order(command, caller, key or str(uuid.uuid4()), time.time() + within_s)
        answer: dict[str, Any] = json.loads(self.bus.run(order))
        return answer

    def ask(self, caller: Caller, query: Query) -> Any:
        """A question."""
        access.require_duty(type(query), caller)
        return self.bus.ask(query, caller)

    def settle(self) -> None:
        """Reactions to all that has happened, until nothing more follows."""
        while self._relay.position():
            with self.pool.connection() as connection:
                heads = log.positions(connection)
            for stream in OWN:
                if stream in heads:
                    self._reactions.catch_up(stream, heads[stream])

    def tick(self, **span: float) -> None:
        """Moves the clock of the database, sends notices, and does what is due; then all that follows."""
        forward(self.app.settings, ("matching",), int(dt.timedelta(**span).total_seconds() * 1000))
        self._sender.turn()
        for schedule in SERVICE.schedules:
            run_schedule(self.bus, schedule)
        self.settle()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows as they stand in the database."""
        with self.pool.connection() as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
        return found

    def request(self, id: str) -> Request:
        """A request as it is kept."""
        with self.pool.connection() as connection:
            body = connection.execute("select body::text from request where id = %s", (id,)).fetchone()
        assert body is not None
        return codec.decode(body[0], Request)

    def told(self, template: str) -> list[str]:
        """To whom notices of a template went."""
        return [to for (to,) in self.rows("select recipient from notice where template = %s order by id", template)]

    def _fetch(self, stream: str, after: int, limit: int) -> list[bytes]:
        with self.pool.connection() as connection:
            return log.read(connection, stream, after, limit)


@contextmanager
def matching_on(database: str, folder: Path, more_figures: Sequence[Figure] = ()) -> Iterator[Platform]:
    """Matching migrated into a database of its own beside the given one, with keys of its own."""
    prefix = f"banyan_test_{uuid.uuid4().hex[:8]}_"
    settings = Settings(mode="test", postgres_url=database, database_prefix=prefix, keys=folder / "keys", run=folder)
    keys = create(folder / "keys")
    migrate(settings, "matching", SERVICE.package)
    app = App(replace(SERVICE, figures=[*SERVICE.figures, *more_figures]), settings, keys)
    try:
        yield Platform(app)
    finally:
        app.pool.close()
        drop_database(database, f"{prefix}matching")


def workers(platform: Platform, many: int, **supply: Any) -> None:
    """Workers a-w0 …, one kilometre further away each, free of end dates."""
    for n in range(many):
        platform.do(SYSTEM, keep(n, **supply))


def taken(platform: Platform, who: Any = LEAD, **other: Any) -> str:
    """A request for help; answers its id."""
    return str(platform.do(who, call_for_help(**other))["id"])


def triaged(platform: Platform, **other: Any) -> str:
    """A request taken and assessed, and all that followed from it."""
    id = taken(platform, **other)
    platform.do(LEAD, assess(platform.request(id)))
    platform.settle()
    return id


def on_duty(platform: Platform, division: str, *accounts: str) -> None:
    """A roster without end."""
    day, far = dt.date(2020, 1, 1), dt.date(2099, 1, 1)
    turns = tuple(Turn(account=a, since=day, until=far, rank=n) for n, a in enumerate(accounts, 1))
    platform.do(PROVINCIAL, m.OpenRoster(division=division, turns=turns))
