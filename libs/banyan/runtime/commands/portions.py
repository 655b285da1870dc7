"""A rule over more records than should be kept: all are locked, then read, decided and written a portion at a time; and
records that such a rule reads first and locks last.

It is one transaction as ever: nobody sees a portion before the commit, and a rule that refuses half-way has done nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Generic, TypeVar

from banyan.kernel.decision import Aggregate, Decision
from banyan.runtime.commands.collect import collect
from banyan.runtime.commands.store import Db, in_portions, portions
from banyan.runtime.commands.write import Outcome, write

A = TypeVar("A", bound=Aggregate)
LOCK = "select from {kind} where id = any(%s) order by id for update"


class Portions(Generic[A]):
    """Records of one kind, locked in the order of their ids, which are sorted; each portion is read when it is asked for."""

    def __init__(self, connection: Any, kind: type[A], ids: Sequence[str]) -> None:
        for some in portions(ids):
            connection.execute(LOCK.format(kind=kind.kind), (some,))
        self.in_hand: list[tuple[A, int]] = []
        self._each = self._read(connection, kind, ids)

    def __iter__(self) -> Iterator[Mapping[str, A | None]]:
        """Portions of {id: record, or None where there is none}, once."""
        return self._each

    def close(self) -> None:
        """Reads no more."""
        self._each.close()

    def _read(
        self, connection: Any, kind: type[A], ids: Sequence[str]
    ) -> Generator[Mapping[str, A | None], None, None]:
        for some, self.in_hand in in_portions(connection, kind, ids):
            yield dict.fromkeys(some) | {record.id: record for record, _ in self.in_hand}


class Held(Generic[A]):
    """`Late`: records read now, and locked when the rule asks for it; who has not changed meanwhile is not read again."""

    def __init__(self, connection: Any, kind: type[A], ids: Sequence[str]) -> None:
        self._connection, self._kind = connection, kind
        self._read = {
            record.id: (record, version) for _, found in in_portions(connection, kind, ids) for record, version in found
        }
        self.seen: Mapping[str, A] = {id: record for id, (record, _) in self._read.items()}
        self.in_hand: list[tuple[A, int]] = []

    def lock(self, ids: Sequence[str]) -> Mapping[str, A]:
        """In the order of the ids."""
        sql = f"select id, version from {self._kind.kind} where id = any(%s) order by id for update"
        versions: dict[str, int] = {}
        for some in portions(sorted(ids)):
            versions |= dict(self._connection.execute(sql, (some,)).fetchall())
        changed = [id for id, version in versions.items() if self._read.get(id, (None, 0))[1] != version]
        for _, found in in_portions(self._connection, self._kind, changed):
            self._read |= {record.id: (record, version) for record, version in found}
        self.in_hand = [self._read[id] for id in versions]
        return {record.id: record for record, _ in self.in_hand}


def written(
    rule: Generator[Sequence[Any], None, Sequence[Any]],
    parts: Mapping[str, Portions[Any]],
    decision: Decision,
    record: Aggregate | None,
    version: int | None,
    db: Db,
    outcome: Outcome,
    traceparent: str | None,
) -> Sequence[Any]:
    """Writes each answer that the rule yields; answers what it returns, the record's own."""
    with ExitStack() as reading:
        for part in parts.values():
            reading.enter_context(closing(part))
        while True:
            try:
                answer = next(rule)
            except StopIteration as end:
                own: Sequence[Any] = end.value
                return own
            in_hand = {name: part.in_hand for name, part in parts.items()}
            collect(outcome, decision, record, version, in_hand, answer, db.context)
            write(db.connection, outcome, db.context, db.keys, traceparent)
            outcome.forget_written()
