"""Replay: a service's projections rebuilt from the first event in a second schema, compared, and swapped in.

Readers and the live subscription go on meanwhile; only the comparison and the swap hold the live cursors. Erasing a
person destroys a key and no event, and projections read only `data`, so a replay after an erasure is equal too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from banyan.kernel.message import SYSTEM, Event
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.bus import Bus
from banyan.runtime.commands.store import Db
from banyan.runtime.events import schemas
from banyan.runtime.events.react import kinds_of
from banyan.runtime.events.subscribe import Fetch, event_of, parse
from banyan.runtime.host.db import Pool
from banyan.runtime.host.service import Service

PAGE = 500
Progress = Callable[[str, int, int], None]  # stream, position reached, position to reach
ALONE = "select pg_try_advisory_lock(hashtext('banyan replay'))"
DONE = "select pg_advisory_unlock(hashtext('banyan replay'))"
STAND = "select stream, position from cursor where subscription = %s order by stream"


class Host(Protocol):
    """What a replay needs of a service in this process; banyan.runtime.host.app.App is one."""

    @property
    def service(self) -> Service:
        """The service."""

    @property
    def pool(self) -> Pool:
        """Its database."""

    @property
    def bus(self) -> Bus:
        """Its bus, for the context that folds are given."""


class TableReport(msgspec.Struct, frozen=True, kw_only=True):
    """One table of both schemas: rows, digests, and what differs."""

    table: str
    rows_live: int
    rows_rebuilt: int
    digest_live: str
    digest_rebuilt: str
    differences: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found: `equal` is the one word that counts; `positions` are where both were compared."""

    events: int
    positions: dict[str, int]
    tables: tuple[TableReport, ...]
    equal: bool
    swapped: bool
    seconds: int

    @property
    def differences(self) -> tuple[str, ...]:
        """All differing rows, each with its table."""
        return tuple(f"{table.table}: {row}" for table in self.tables for row in table.differences)


def replay(
    app: Host,
    fetch: Fetch,
    *,
    progress: Progress = lambda stream, position, head: None,
    swap: bool = True,
    subscription: str = "projections",
) -> Report:
    """Rebuilds all projections of the service from position 0, compares them with the live ones, and swaps them in.

    What the log says is right: a different rebuild is swapped in as well, and the report says what was wrong. Refuses
    `replay_running` where another replay is at work, `log_short` where the log ends before the live cursor."""
    begun = time.monotonic()
    with app.pool.connection() as guard:
        if not guard.execute(ALONE).fetchone()[0]:  # type: ignore[index]
            raise Refused("replay_running", service=app.service.name)
        try:
            rebuild = Rebuild(app, fetch, progress, subscription)
            tables, swapped = rebuild.run(swap)
        finally:
            guard.execute(DONE)
    return Report(
        events=rebuild.events,
        positions=rebuild.at,
        tables=tables,
        equal=all(table.digest_live == table.digest_rebuilt for table in tables),
        swapped=swapped,
        seconds=int(time.monotonic() - begun),
    )


class Rebuild:
    """One replay on its way: where it stands in each stream, and how many events it has folded."""

    def __init__(self, app: Host, fetch: Fetch, progress: Progress, subscription: str) -> None:
        self.app, self._fetch, self._progress, self._subscription = app, fetch, progress, subscription
        self.at: dict[str, int] = dict.fromkeys(sorted(app.service.projections), 0)
        self.events = 0
        self._kinds: dict[str, type[Event]] = kinds_of(list(app.service.projections), app.service)

    def run(self, swap: bool) -> tuple[tuple[TableReport, ...], bool]:
        """From nothing to swapped."""
        with self.app.pool.connection() as connection:
            with connection.transaction():
                schemas.make(connection, self.app.service.metadata, schemas.REBUILD)
            with connection.transaction():
                near = self._stand(connection)
            self._reach(connection, near)
            with connection.transaction():
                self._reach(connection, self._stand(connection, lock=True))
                tables = self._compared(connection)
                if swap:
                    schemas.swap(connection)
            with connection.transaction():
                schemas.drop(connection, schemas.OLD if swap else schemas.REBUILD)
        return tables, swap

    def _stand(self, connection: Any, *, lock: bool = False) -> dict[str, int]:
        """The live cursor; locked, no live batch can be applied until the transaction ends."""
        rows = connection.execute(STAND + (" for update" if lock else ""), (self._subscription,)).fetchall()
        return {stream: position for stream, position in rows if stream in self.at}

    def _reach(self, connection: Any, positions: Mapping[str, int]) -> None:
        """Folds every stream up to a position, a page a transaction (within the caller's, if there is one)."""
        for stream, head in positions.items():
            while self.at[stream] < head:
                self._page(connection, stream, head)
                self._progress(stream, self.at[stream], head)

    def _page(self, connection: Any, stream: str, head: int) -> None:
        after = self.at[stream]
        items = [parse(raw) for raw in self._fetch(stream, after, min(PAGE, head - after))]
        if not items or items[0].envelope.position != after + 1:
            raise Refused("log_short", stream=stream, after=str(after), head=str(head))
        batch = [(item.envelope, event) for item in items if (event := event_of(item, self._kinds)) is not None]
        with connection.transaction():
            schemas.look_in(connection, schemas.REBUILD)
            if batch:
                self.app.service.projections[stream](batch, self._db(connection, items[-1].envelope.known_at))
            connection.execute("set local search_path to default")
        self.at[stream] = items[-1].envelope.position
        self.events += len(items)

    def _db(self, connection: Any, known_at: Any) -> Db:
        service, bus = self.app.service, self.app.bus
        context = bus.context(connection, service.system_caller, known_at, (SYSTEM,))
        return Db(connection, bus.vault, context, service=service.name)

    def _compared(self, connection: Any) -> tuple[TableReport, ...]:
        return tuple(self._table(connection, table) for table in self.app.service.metadata.sorted_tables)

    def _table(self, connection: Any, table: Any) -> TableReport:
        rows_live, live = schemas.digest(connection, table, schemas.LIVE)
        rows_rebuilt, rebuilt = schemas.digest(connection, table, schemas.REBUILD)
        different = () if live == rebuilt else tuple(schemas.differences(connection, table))
        return TableReport(
            table=table.name,
            rows_live=rows_live,
            rows_rebuilt=rows_rebuilt,
            digest_live=live,
            digest_rebuilt=rebuilt,
            differences=different,
        )
