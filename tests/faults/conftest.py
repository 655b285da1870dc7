"""The sample service's platform: fresh for each fault that breaks it, one a module for those that do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from banyan.testkit.owned import create_database, create_vhost, drop_database, drop_vhost, lent
from tests.instance import Instance, instance


@pytest.fixture
def platform(database: str, vhost: str, tmp_path: Path) -> Iterator[Instance]:
    """serve and work of the sample service."""
    with instance(tmp_path, database, vhost) as running:
        yield running


@contextmanager
def started(postgres: Any, rabbit: Any, folder: Path, *services: str, **environment: str) -> Iterator[Instance]:
    """A platform on names of its own, for as long as a module wants it."""
    with (
        lent(partial(create_database, postgres.url), partial(drop_database, postgres.url)) as database,
        lent(partial(create_vhost, rabbit.url, rabbit.admin_url), partial(drop_vhost, rabbit.admin_url)) as vhost,
        instance(folder, database, vhost, (*services, "tests.sample"), **environment) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def shared(postgres: Any, rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """serve and work of the sample service, for all of a module's tests; each has labels of its own."""
    with started(postgres, rabbit, tmp_path_factory.mktemp("shared")) as running:
        yield running
