"""insight in one process over a real database, with a world that speaks to it: for the flows of figures and of replay."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from banyan.kernel.context import EVERY_FIELD, Caller, Grant
from banyan.kernel.policy import Policy
from banyan.runtime.commands.bus import Bus
from banyan.runtime.commands.guard import SealGuard
from banyan.runtime.commands.orders import Order
from banyan.runtime.events import react, replay
from banyan.runtime.events.replay import Report
from banyan.runtime.events.subscribe import Fetch, Subscription
from banyan.runtime.host.db import Pool, open_pool
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.reference import Known
from banyan.runtime.host.service import Service
from banyan.runtime.host.settings import Settings
from banyan.testkit.owned import drop_database
from services.identity import data
from services.insight.service import SERVICE
from tests.insight_world import World

TREE = data.tree()
KNOWN = Known(1, Policy(SERVICE.figures), TREE, None)
PROVINCE = "350000000000"
SEED = random.SystemRandom().randrange(10**6)


class Tables:
    """The reference data of the test: the province's real divisions, the seeded figures."""

    def current(self, connection: object = None) -> Known:
        """Always the same."""
        return KNOWN


@dataclass
class Insight:
    """insight in this process: what replay asks of a host, and a caller who asks it questions."""

    service: Service
    pool: Pool
    bus: Bus
    world: World
    settings: Settings

    def __post_init__(self) -> None:
        fold = self.service.projections.__getitem__
        streams = sorted(self.service.projections)
        self.subscription = Subscription(
            "projections", streams, self.pool, react.projecting(self.bus, fold), self.fetch
        )

    def fetch(self, stream: str, after: int, limit: int) -> list[bytes]:
        """The log as its service would serve it."""
        return self.world.log(stream)[after : after + limit]

    def take(self) -> None:
        """Folds all that the world has said, in batches of random size, repeated and out of order now and then."""
        pick = random.Random(self.world.seed)
        at = self.subscription.positions()
        for stream in self.subscription.streams:
            log, position = self.world.log(stream), at[stream]
            while position < len(log):
                size = pick.randrange(1, 40)
                bodies = log[max(0, position - 2) : position + size]
                pick.shuffle(bodies)
                self.subscription.take(bodies)
                position += size

    def replay(self, fetch: Fetch | None = None, **how: Any) -> Report:
        """A replay as `banyan replay` runs it: as the owner, since it makes tables."""
        pool = open_pool(self.settings.owner_url("insight"), size=2, name="test replay")
        try:
            return replay.replay(replace(self, pool=pool), fetch or self.fetch, **how)
        finally:
            pool.close()

    def ask(self, query: Any, division: str = PROVINCE, duty: str = "analyst") -> Any:
        """The answer to a caller with one duty in a division."""
        return self.bus.ask(query, Caller(account="a", grants=(Grant(duty=duty, division=division),)))

    def order(self, command: Any, caller: Caller) -> dict[str, Any]:
        """The reply to a command."""
        found: dict[str, Any] = json.loads(self.bus.run(Order(command, caller, str(uuid.uuid4()), time.time() + 60)))
        return found


def analyst(account: str = "a", division: str = PROVINCE, fields: tuple[str, ...] = (EVERY_FIELD,)) -> Caller:
    """Somebody with one duty in a division."""
    return Caller(account=account, grants=(Grant(duty="analyst", division=division, fields=fields),))


@contextmanager
def running_insight(database: str) -> Iterator[Insight]:
    """insight over a database of its own beside the given one, with a world of its own; closed and dropped at the end."""
    server, name = database.rsplit("/", 1)
    secrets = TemporaryDirectory()
    settings = Settings(
        mode="test", postgres_url=f"{server}/postgres", database_prefix=f"{name}_", roles=Path(secrets.name)
    )
    migrate(settings, "insight", SERVICE.package)
    pool = open_pool(settings.database_url("insight"), size=4, name="test insight")
    bus = Bus(SERVICE, pool, None, Tables(), None, SealGuard("insight", pool))  # type: ignore[arg-type]
    print(f"seed {SEED}")  # noqa: T201 - a failure shows it, so that it can be run again
    instance = Insight(SERVICE, pool, bus, World(SEED), settings)
    try:
        yield instance
    finally:
        pool.close()
        drop_database(database, f"{name}_insight")
        secrets.cleanup()
