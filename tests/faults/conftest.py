"""The sample service's platform, fresh for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instance import Instance, instance


@pytest.fixture
def platform(database: str, vhost: str, tmp_path: Path) -> Iterator[Instance]:
    """serve and work of the sample service."""
    with instance(tmp_path, database, vhost) as running:
        yield running
