"""The three kinds of message: a Command orders, a Query asks, an Event reports. Contracts are made of them and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

ANYONE = "anyone"  # no token is asked for
ACCOUNT = "account"  # any valid token
SYSTEM = "system"  # the reactions and schedules of our own services
OWN_DUTIES = frozenset({"worker", "resident", "guardian"})  # reach their own records wherever these are: the rule checks whose


def snake(name: str) -> str:
    """ApprovePerson -> approve_person: the one rule from a contract's name to its method and its address."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every contract has: the service it belongs to is the name of the contracts module it stands in."""

    @classmethod
    def service(cls) -> str:
        """registry, matching, ...: of the module banyan.contracts.<service>, or of its chapter <service>_<chapter>."""
        return _service_of(cls.__module__)

    @classmethod
    def method(cls) -> str:
        """The RPC method and the last part of the HTTP address."""
        return snake(cls.__name__)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command: the record, its new version and its state; `policy` is the version of figures used."""

    id: str
    version: int
    state: str | None = None
    policy: str = ""
    audit_unsealed: bool = False
    facts: dict[str, Any] = {}


class Ask(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command or a query: who may, and what it answers. An unknown field is refused, so that no typing error is lost."""

    may: ClassVar[tuple[str, ...]] = (ACCOUNT,)
    answer: ClassVar[type] = Done
    lifeline: ClassVar[bool] = False  # goes on while the audit trail cannot be sealed: a person in need depends on it


class Command(Ask, frozen=True, kw_only=True):
    """An order. `version`, where a command has that field and the caller gives it, must be the record's current one."""


class Query(Ask, frozen=True, kw_only=True):
    """A question; it changes nothing but the audit trail."""


class Bulk(Command, frozen=True, kw_only=True):
    """Many at once: `items` are commands of the class `each`; each is its own transaction and gets its own answer."""

    each: ClassVar[type[Command]]
    limit: ClassVar[int] = 500
    items: tuple[Any, ...]


class Event(Message, frozen=True, kw_only=True):
    """A fact. Fields of type Private travel encrypted as `personal`; all others are `data`, kept for ever."""

    stream: ClassVar[str]
    schema_version: ClassVar[int] = 1
    replaces: ClassVar[bool] = False  # says anew all that an earlier one of its type said of the record: a snapshot may leave that out

    @classmethod
    def type_name(cls) -> str:
        """cn.banyan.registry.person.approved.v1 for PersonApproved in the stream registry.person."""
        word = snake(cls.__name__)
        word = word.removeprefix(cls.stream.rsplit(".", 1)[-1] + "_")
        return f"cn.banyan.{cls.stream}.{word}.v{cls.schema_version}"


class Notice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message to a person, written with the command that causes it: a template and facts that are not personal."""

    template: str
    to: str  # the account or person it is for; the address is found when it is sent
    about: str  # the record it is about
    facts: dict[str, str] = {}
    urgent: bool = False  # passes quiet hours


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule wants said in the answer itself, at once: it becomes the `facts` of Done."""

    facts: dict[str, Any]


class DestroyKey(msgspec.Struct, frozen=True, kw_only=True):
    """An effect that a rule asks for: the person's key is destroyed in the same transaction, and with it all private values."""

    person_id: str


def contracts(module: Any, kind: type[Message]) -> Iterator[type[Any]]:
    """The messages of one kind that a contracts module and its chapters declare, in the order they are written."""
    for value in vars(module).values():
        mine = isinstance(value, type) and issubclass(value, kind) and value.service() == _service_of(module.__name__)
        if mine and not value.__dict__.get("abstract", False):
            yield value


def _service_of(module: str) -> str:
    return module.rsplit(".", 1)[-1].partition("_")[0]
