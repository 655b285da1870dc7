"""A running instance of the sample service, as real processes on the session's servers, and a caller to speak to it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from banyan.cli.laptop import Laptop
from banyan.kernel.context import Caller, Grant
from banyan.runtime.host.app import system_token
from banyan.runtime.rpc.threads import ThreadClient
from banyan.testkit.owned import drop_database
from banyan.vault.keys import KeyFolder

WAIT_S = 60.0
PLACE = "350203001000"
RETRY_S = "0.3"  # of parked events: a test does not wait a minute
SAMPLE = ("tests.sample",)


class Instance:
    """The sample service on `laptop`; `command` and `query` go over RPC as a gardener of Xiamen."""

    def __init__(self, laptop: Laptop, database: str, vhost: str) -> None:
        self.laptop, self.database, self.vhost = laptop, database, vhost
        self.client = ThreadClient(vhost, connection_name="test")
        self.keys = KeyFolder(laptop.key_folder)

    def token(self, duty: str = "gardener", division: str = "350200000000", account: str = "gardener-1") -> str:
        """A token of ten minutes for an account with one duty."""
        return system_token(self.keys, Caller(account=account, grants=(Grant(duty=duty, division=division),)))

    def call(
        self, method: str, body: dict[str, Any], *, key: str | None, token: str | None, timeout_s: float = 10
    ) -> Any:
        """One RPC call; raises Refused."""
        return json.loads(self.client.call("sample", method, body, token=token, key=key, timeout_s=timeout_s))

    def plant(self, label: str, **more: Any) -> str:
        """A new tree's id."""
        return str(self.command("plant_tree", division=PLACE, label=label, **more)["id"])

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        return self.rows_of(self.database, sql, *parameters)

    @staticmethod
    def rows_of(url: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What stands in another service's database."""
        with psycopg.connect(url) as connection:
            return connection.execute(sql, parameters).fetchall()

    def run(self, sql: str, *parameters: Any) -> None:
        """Does to the database what no service would."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(sql, parameters or None)

    def heap(self, tree_id: str) -> list[int]:
        """What the reaction to prunings has done: branches each time."""
        rows = self.rows("select body -> 'taken' from heap where id = %s", f"h-{tree_id}")
        return (rows[0][0] or []) if rows else []

    def command(self, method: str, *, key: str | None = None, timeout_s: float = 10, **body: Any) -> Any:
        """A command under a key (a new one unless given)."""
        return self.call(method, body, key=key or str(uuid.uuid4()), token=self.token(), timeout_s=timeout_s)

    def query(self, method: str, *, duty: str = "gardener", **body: Any) -> Any:
        """A question."""
        return self.call(method, body, key=None, token=self.token(duty))

    def figure(self) -> dict[str, int]:
        """The projection: litres by tree."""
        with psycopg.connect(self.database) as connection:
            return dict(connection.execute("select tree_id, litres from water").fetchall())

    def stream(self, name: str) -> list[bytes]:
        """All items of a stream, over RPC, as a subscriber gets them."""
        items: list[bytes] = []
        while True:
            body = {"stream": name, "after": len(items), "limit": 200}
            try:
                reply = self.client.call("sample", "events_read", body, token=self.token("system"))
            except Exception:
                return items
            page = json.loads(reply)["items"]
            if not page:
                return items
            items += [json.dumps(item, ensure_ascii=False).encode() for item in page]

    def public_keys(self) -> dict[str, bytes]:
        """The public keys that heads are signed with."""
        return self.keys.public_keys()

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Polls; fails naming what did not come."""
        until = time.monotonic() + WAIT_S
        while not true():
            if time.monotonic() > until:
                logs = "\n".join((self.laptop.folder / f"{p}.log").read_text()[-2000:] for p in self.laptop.processes)
                raise AssertionError(f"not within {WAIT_S:.0f} s: {what}\n{logs}")
            time.sleep(0.05)


@contextmanager
def instance(
    folder: Path, database: str, vhost: str, services: Sequence[str] = SAMPLE, **environment: str
) -> Iterator[Instance]:
    """Starts serve and work of the services on fresh databases and a vhost; stops them afterwards."""
    laptop = laptop_of(folder, database, vhost, services)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BANYAN_PARKED_S": RETRY_S, **environment}.items():
            patch.setenv(name, value)
        with _running(laptop, database, vhost) as running:
            yield running


def laptop_of(folder: Path, database: str, vhost: str, services: Sequence[str] = SAMPLE) -> Laptop:
    """A laptop that is not started yet."""
    return Laptop(
        folder,
        mode="test",
        services=tuple(services),
        processes=("serve", "work"),
        postgres_url=database,
        amqp_url=vhost,
        keys=folder / "keys",
    )


@contextmanager
def _running(laptop: Laptop, database: str, vhost: str) -> Iterator[Instance]:
    laptop.up(lambda _: None)
    running = Instance(laptop, laptop_database(laptop, database), vhost)
    try:
        yield running
    finally:
        running.client.close()
        for name in laptop.processes:
            laptop.stop(name)
        for service in laptop.services:
            drop(f"{laptop.state['prefix']}{service.rsplit('.', 1)[-1]}", database)


def laptop_database(laptop: Laptop, beside: str) -> str:
    """The address of the sample service's database."""
    return f"{beside.rsplit('/', 1)[0]}/{laptop.state['prefix']}sample"


def drop(name: str, from_url: str) -> None:
    """Drops a service's database with its sessions and roles."""
    drop_database(from_url, name)
