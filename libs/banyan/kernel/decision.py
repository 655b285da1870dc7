"""How a rule says which command it decides, on which record, and what else it must see under the same lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec

from banyan.kernel.message import Command

F = TypeVar("F", bound=Callable[..., Any])
Find = Callable[[Any, Any], str | tuple[str, ...] | None]


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # a tree: nothing in it leads back
    """A record that is locked, decided on and saved as one. Add fields with defaults; never reuse a name."""

    kind: ClassVar[str]  # the table's name and the last part of the stream
    prefix: ClassVar[str]  # of its ids
    subject: ClassVar[str | None] = None  # the field with the id of the person under whose key Private fields are sealed

    id: str
    division: str  # where it belongs: jurisdiction is decided by it


A_co = TypeVar("A_co", bound=Aggregate, covariant=True)


class Late(Protocol[A_co]):
    """Records that a rule reads first and locks last, so that nobody waits for them while it decides on thousands of others."""

    @property
    def seen(self) -> Mapping[str, A_co]:
        """By id, as they stood when the rule began; they may change until they are locked."""

    def lock(self, ids: Sequence[str]) -> Mapping[str, A_co]:
        """Locks some of them, once, and answers those that there are as they stand now, until the transaction ends."""


@dataclass(frozen=True)
class Decision:
    """One command's rule. `key` is the command's field with the record's id; None creates."""

    command: type[Command]
    on: type[Aggregate]
    key: str | None
    decide: Callable[..., Any]
    also: Mapping[str, tuple[type[Aggregate], str | Find]] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    portions: Mapping[str, tuple[type[Aggregate], Find]] = field(default_factory=dict)
    late: Mapping[str, tuple[type[Aggregate], Find]] = field(default_factory=dict)


DECISIONS: dict[type[Command], Decision] = {}


def decides(
    command: type[Command],
    *,
    on: type[Aggregate],
    key: str | None = None,
    also: Mapping[str, tuple[type[Aggregate], str | Find]] | None = None,
    facts: tuple[str, ...] = (),
    open: tuple[str, ...] = (),
    portions: Mapping[str, tuple[type[Aggregate], Find]] | None = None,
    late: Mapping[str, tuple[type[Aggregate], Find]] | None = None,
) -> Callable[[F], F]:
    """Registers a pure rule `(record, command, context, **also, **facts) -> (record, *events and notices)`.

    also: other records locked with it, by argument name: (class, the command's field or a function of record and command);
          a function that answers a tuple of ids gives the rule a tuple of records. A rule that changes them returns a
          dict {"": record, "worker": worker} instead of the record.
    facts: names of facts that the service's store reads in the same transaction and gives by the same name.
    open: names of Private fields of the record that the rule must see in the clear.
    portions: records that are locked like those of `also`, and more than should be kept: the rule is given an iterator of
          portions {id: record, or None where there is none}, in the order of the ids. It is a generator: after each portion it yields
          an answer of its own, ({"requests": records}, *events and notices), which is written at once, and in the end
          it returns the record's. All of it is one transaction.
    late: records that the rule locks itself, after all others, and may change in what it returns: `Late`, by argument name.
    """

    def register(rule: F) -> F:
        if command in DECISIONS:
            raise ValueError(f"{command.__name__} is decided twice")
        others = (dict(also or {}), facts, open, dict(portions or {}), dict(late or {}))
        DECISIONS[command] = Decision(command, on, key, rule, *others)
        return rule

    return register
