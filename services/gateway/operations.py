"""Which addresses there are: one for each command and query of the contracts, the frame's queries for each service."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from banyan.contracts import frame
from banyan.kernel.message import ANYONE, Ask, Command, Event, Query, contracts

SERVICES = ("identity", "registry", "matching", "insight")


@dataclass(frozen=True, slots=True)
class Operation:
    """One command or query of one service, at POST /v1/<service>/<method>."""

    service: str
    ask: type[Ask]

    @property
    def method(self) -> str:
        """The RPC method."""
        return self.ask.method()

    @property
    def path(self) -> str:
        """The HTTP address."""
        return f"/v1/{self.service}/{self.method}"

    @property
    def is_command(self) -> bool:
        """Whether it changes something, and so needs an idempotency key."""
        return issubclass(self.ask, Command)

    @property
    def is_open(self) -> bool:
        """Whether it may be asked without a token."""
        return ANYONE in self.ask.may


@cache
def words() -> dict[str, ModuleType]:
    """The contracts of every service that has some."""
    names = {name: f"banyan.contracts.{name}" for name in SERVICES}
    return {name: importlib.import_module(path) for name, path in names.items() if importlib.util.find_spec(path)}


@cache
def operations() -> dict[tuple[str, str], Operation]:
    """(service, method) → operation, in the order in which the contracts are written."""
    return {(one.service, one.method): one for name, module in words().items() for one in _of(name, module)}


@cache
def events() -> dict[str, type[Event]]:
    """Type name (cn.banyan.….v1) → event, of all services."""
    return {event.type_name(): event for module in words().values() for event in contracts(module, Event)}


def _of(service: str, module: ModuleType) -> Iterator[Operation]:
    for kind in (Command, Query):
        for ask in contracts(module, kind):
            yield Operation(service, ask)
    for query in contracts(frame, Query):
        yield Operation(service, query)
