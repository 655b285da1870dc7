"""Statements that a connection keeps planned, several in one message: what a command costs is above all its round trips.

psycopg sends each planned statement by itself, and its pipeline waits on the socket at each. Here a statement is prepared
once under a name and then called with its values as literals, so that others may stand before and behind it.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import errors
from psycopg.adapt import Transformer

KEPT = 100  # planned statements of one connection, as psycopg keeps; the one that was not used for longest goes first

Statement = tuple[str, Sequence[Any]]
"""SQL with a %s for each value, and the values."""


def together(connection: Any, *parts: bytes | Statement) -> Any:
    """Sends all parts in one message; the first that fails ends it. Answers the cursor at the last part's result.

    Bytes are sent as they are, a `Statement` is planned by the connection when it is new to it. psycopg forgets all plans
    of a connection after a rollback: then this raises InvalidSqlStatementName, once, and the transaction must begin again.
    """
    planned = _planned.get(connection)
    if planned is None:
        planned = _planned[connection] = _Planned()
    message = b"; ".join([part if isinstance(part, bytes) else planned.call(connection, *part) for part in parts])
    try:
        return connection.execute(message, prepare=False).set_result(-1)
    except errors.InvalidSqlStatementName:
        del _planned[connection]
        raise


class _Planned:
    """What one connection has planned: SQL → name."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, bytes] = OrderedDict()

    def call(self, connection: Any, sql: str, values: Sequence[Any]) -> bytes:
        """The text that calls the statement, which is planned now if it was not yet."""
        name = self._names.get(sql) or self._plan(connection, sql)
        self._names.move_to_end(sql)
        literal = Transformer(connection).as_literal
        return b"execute %b (%b)" % (name, b", ".join([bytes(literal(value)) for value in values]))

    def _plan(self, connection: Any, sql: str) -> bytes:
        if len(self._names) >= KEPT:
            connection.execute(b"deallocate " + self._names.popitem(last=False)[1], prepare=False)
        name = b"banyan_%d" % next(_numbers)
        connection.execute(b"prepare %b as %b" % (name, _numbered(sql).encode()), prepare=False)
        self._names[sql] = name
        return name


_planned: WeakKeyDictionary[Any, _Planned] = WeakKeyDictionary()
_numbers = itertools.count(1)


def _numbered(sql: str) -> str:
    """$1, $2, … for each %s."""
    first, *rest = sql.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
