"""What any test may ask for: `postgres`, `rabbit` (started once a session), `database`, `vhost` (fresh for each)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis
import pytest

from banyan.testkit.owned import create_database, create_vhost, drop_database, drop_vhost, lent
from banyan.testkit.servers import PrivatePostgres, PrivateRabbit
from banyan.testkit.slots import session_slot

ROOT = Path(__file__).resolve().parents[1]
POSTGRES_URL = os.environ.get("BANYAN_POSTGRES_URL")
AMQP_URL = os.environ.get("BANYAN_AMQP_URL")
AMQP_ADMIN_URL = os.environ.get("BANYAN_AMQP_ADMIN_URL", "")

# A busy machine is no failure: no case of a random test is timed. One that fails prints how it is run again.
hypothesis.settings.register_profile("banyan", deadline=None, print_blob=True)
hypothesis.settings.load_profile("banyan")


@dataclass(frozen=True)
class NamedServer:
    """A real server named by the environment: we make databases or vhosts there and neither stop nor break it."""

    url: str
    admin_url: str = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Faults are for servers of our own only."""
    if not (POSTGRES_URL or AMQP_URL):
        return
    named = pytest.mark.skip(reason="BANYAN_POSTGRES_URL 或 BANYAN_AMQP_URL 指向真实服务器，不在其上制造故障")
    for item in items:
        if (ROOT / "tests" / "faults") in item.path.parents:
            item.add_marker(named)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where this session's servers lie; nobody else uses it meanwhile."""
    with session_slot(ROOT / ".run" / "test") as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PrivatePostgres | NamedServer:
    """PostgreSQL: a private one (start, kill, freeze, restart), or the one that BANYAN_POSTGRES_URL names."""
    if POSTGRES_URL:
        return NamedServer(POSTGRES_URL)
    folder = request.getfixturevalue("server_folder")
    return PrivatePostgres(folder / "postgres", fsync=False).start()


@pytest.fixture(scope="session")
def rabbit(request: pytest.FixtureRequest) -> PrivateRabbit | NamedServer:
    """RabbitMQ: a private one, or BANYAN_AMQP_URL with its management API at BANYAN_AMQP_ADMIN_URL."""
    if AMQP_URL:
        if not AMQP_ADMIN_URL:
            pytest.fail("设置了 BANYAN_AMQP_URL 时，还须以 BANYAN_AMQP_ADMIN_URL 给出其管理接口地址。")
        return NamedServer(AMQP_URL, AMQP_ADMIN_URL)
    folder = request.getfixturevalue("server_folder")
    return PrivateRabbit(folder / "rabbit").start()


@pytest.fixture
def database(postgres: PrivatePostgres | NamedServer) -> Iterator[str]:
    """The address of an empty database, dropped after the test."""
    with lent(partial(create_database, postgres.url), partial(drop_database, postgres.url)) as url:
        yield url


@pytest.fixture
def vhost(rabbit: PrivateRabbit | NamedServer) -> Iterator[str]:
    """The AMQP address of an empty vhost, dropped after the test."""
    with lent(partial(create_vhost, rabbit.url, rabbit.admin_url), partial(drop_vhost, rabbit.admin_url)) as url:
        yield url
