"""The sample service's platform, started once for each module of flows that asks for it; the registry, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from banyan.testkit.owned import create_database, create_vhost, drop_database, drop_vhost, lent
from tests.flows.collector import Collector, collecting, traced_to
from tests.flows.registry_desk import Desk
from tests.instance import Instance, instance


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the platform's spans go."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def platform(postgres, rabbit, collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:  # type: ignore[no-untyped-def]
    """serve and work of the sample service; tests use labels of their own, so that they do not meet."""
    with (
        lent(partial(create_database, postgres.url), partial(drop_database, postgres.url)) as database,
        lent(partial(create_vhost, rabbit.url, rabbit.admin_url), partial(drop_vhost, rabbit.admin_url)) as vhost,
        instance(tmp_path_factory.mktemp("platform"), database, vhost, **traced_to(collector)) as running,
    ):
        yield running


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Iterator[Desk]:
    """registry on an empty database."""
    desk = Desk(database, tmp_path)
    yield desk
    desk.close()
