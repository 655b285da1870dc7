"""registry on a real database, in this process: its bus, its schedules and jobs, and a clock that the test moves."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from typing import Any

import msgspec
import psycopg

from banyan.kernel.context import SHANGHAI, Caller, Grant
from banyan.kernel.message import Bulk, Command, Query
from banyan.runtime.commands.orders import Order
from banyan.runtime.host import jobs
from banyan.runtime.host.app import App, load_service
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.runtime.host.work import run_schedule
from banyan.testkit.owned import drop_database
from banyan.vault.keys import KeyFolder, create

A_DAY_S = 86_400.0  # a deadline that no test meets
SIMING = "350203000000"


class Desk:
    """Orders and questions as an officer of Siming, unless another caller is named."""

    def __init__(self, url: str, folder: Any) -> None:
        server, name = url.rsplit("/", 1)
        self.url = f"{url}registry"
        create(folder / "keys")
        self.settings = Settings(
            mode="test", postgres_url=server + "/postgres", database_prefix=name, pool_size=4, keys=folder / "keys"
        )
        self.service = load_service("registry")
        migrate(self.settings, "registry", self.service.package)
        self.app = App(self.service, self.settings, KeyFolder(folder / "keys"))
        self.bus = self.app.bus

    def close(self) -> None:
        """Closes the pool and drops the database."""
        self.app.pool.close()
        server = self.url.rsplit("/", 1)[0] + "/postgres"
        drop_database(server, self.url.rsplit("/", 1)[1])

    def caller(self, *duties: str, division: str = SIMING, account: str = "", person: str | None = None) -> Caller:
        duties = duties or ("registrar",)
        grants = tuple(Grant(duty=duty, division=division) for duty in duties)
        return Caller(account=account or f"acc-{duties[0]}", grants=grants, person=person)

    def order(self, command: Command, caller: Caller | None = None, key: str | None = None) -> dict[str, Any]:
        """The reply to a command; raises Refused."""
        order = Order(command, caller or self.caller(), key or str(uuid.uuid4()), time.time() + A_DAY_S)
        reply = self.bus.run_bulk(order) if isinstance(command, Bulk) else self.bus.run(order)
        found: dict[str, Any] = msgspec.json.decode(reply)
        return found

    def ask(self, query: Query, caller: Caller | None = None) -> Any:
        """The answer to a question; raises Refused."""
        return self.bus.ask(query, caller or self.caller())

    def now(self) -> dt.datetime:
        """The database's time, moved or not."""
        found: dt.datetime = self.rows("select banyan_now()")[0][0]
        return found

    def today(self) -> dt.date:
        """The day in Shanghai."""
        return self.now().astimezone(SHANGHAI).date()

    def move(self, days: int) -> None:
        """Moves the clock of the instance."""
        self.run("update clock set offset_ms = offset_ms + %s", (days * 86_400_000,))

    def turn(self) -> None:
        """One turn of every schedule."""
        for schedule in self.service.schedules:
            run_schedule(self.bus, schedule)

    def jobs(self) -> int:
        """One turn of the jobs; answers how many were finished."""
        return jobs.turn(self.bus)

    def rows(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, params).fetchall()

    def run(self, sql: str, params: Any = ()) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql, params)

    def events(self, of: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Names and data of all events so far, or of one record, in order."""
        sql = "select type, data from outbox where %(of)s::text is null or aggregate_id = %(of)s order by id"
        return [(type.split(".")[-2], msgspec.json.decode(data)) for type, data in self.rows(sql, {"of": of})]
