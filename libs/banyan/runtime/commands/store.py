"""What facts and views may ask of their database: rows, records, jurisdiction, plain text that the trail notes."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from banyan.kernel.context import EVERY_FIELD, Context
from banyan.kernel.decision import Aggregate
from banyan.kernel.divisions import prefix
from banyan.kernel.message import OWN_DUTIES, Query
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import codec
from banyan.runtime.commands.ahead import ahead
from banyan.runtime.commands.keys import PersonKeys
from banyan.vault.fields import Vault

A = TypeVar("A", bound=Aggregate)
F = TypeVar("F", bound=Callable[..., Any])
A_PORTION = 1_000  # rows of a long answer that are read at once
BODY = "convert_to(body::text, 'UTF8')"  # the bytes that the codec reads, read as they are with `binary`
FACTS: dict[tuple[str, str], Callable[..., Sequence[Any]]] = {}
ANSWERS: dict[type[Query], Callable[..., Any]] = {}


def fact(name: str) -> Callable[[F], F]:
    """Registers `(db, commands, context) -> one answer a command`: what a rule must know beside its locked records."""

    def register(reader: F) -> F:
        FACTS[_package(reader), name] = reader
        return reader

    return register


def answers(query: type[Query]) -> Callable[[F], F]:
    """Registers the view `(query, context, db) -> answer` of a question."""

    def register(view: F) -> F:
        if query in ANSWERS:
            raise ValueError(f"{query.__name__} is answered twice")
        ANSWERS[query] = view
        return view

    return register


def _package(function: Callable[..., Any]) -> str:
    return function.__module__.rsplit(".", 1)[0]


class Db:
    """One transaction of one caller; `seen` fills with whose fields were opened, for the audit trail."""

    def __init__(
        self, connection: Any, vault: Vault, context: Context, keys: PersonKeys | None = None, *, service: str = ""
    ) -> None:
        self.connection, self.vault, self.context, self.service = connection, vault, context, service
        self.keys = keys or PersonKeys(connection, vault)
        self.seen: dict[str, set[str]] = defaultdict(set)

    def rows(self, sql: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement as tuples."""
        found: list[tuple[Any, ...]] = self.connection.execute(sql, params or None).fetchall()
        return found

    def run(self, sql: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> int:
        """Runs a statement of a projection; answers how many rows it touched."""
        return int(self.connection.execute(sql, params or None).rowcount)

    def run_many(self, sql: str, params: Sequence[Any]) -> None:
        """Runs a statement once for each of many parameters, in one pipeline."""
        with self.connection.cursor() as cursor:
            cursor.executemany(sql, params)

    def index(self, kind: str, normalised: str) -> str:
        """The blind index by which a private value is found."""
        return self.vault.blind_index(kind, normalised)

    def record(self, kind: type[A], id: str) -> A | None:
        """A record by id, None where there is none; see `visible` for who may see it."""
        row = self.connection.execute(f"select body::text from {kind.kind} where id = %s", (id,)).fetchone()
        return codec.decode(row[0], kind) if row else None

    def versioned(self, kind: type[A], id: str) -> tuple[A, int] | None:
        """A record and its version."""
        row = self.connection.execute(f"select body::text, version from {kind.kind} where id = %s", (id,)).fetchone()
        return (codec.decode(row[0], kind), row[1]) if row else None

    def records(self, kind: type[A], where: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[A]:
        """Records by a condition (with order and limit, as SQL)."""
        rows = self.rows(f"select body::text from {kind.kind} where {where}", params)
        return [codec.decode(row[0], kind) for row in rows]

    def each(self, kind: type[A], where: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> Iterator[A]:
        """The same one after another, for more of them than should be kept: all as they stood when the first was asked for."""
        with self.connection.cursor(name="each", binary=True) as cursor:
            cursor.execute(f"select {BODY} from {kind.kind} where {where}", params or None)
            for rows in ahead(iter(lambda: cursor.fetchmany(A_PORTION), [])):
                for (body,) in rows:
                    yield codec.decode(body, kind)

    def as_of(self, kind: type[A], id: str, on: dt.date, known_at: dt.datetime | None = None) -> A | None:
        """The record as it held on a day, as known at an instant (default: now): the last version that fits both."""
        sql = (
            f"select body::text from {kind.kind}_history where id = %s and effective_on <= %s and known_at <= %s"
            " order by version desc limit 1"
        )
        row = self.connection.execute(sql, (id, on, known_at or self.context.now)).fetchone()
        return codec.decode(row[0], kind) if row else None

    def require(self, kind: type[A], id: str) -> A:
        """A record that the caller may see; refuses `not_found` for missing and for outside jurisdiction alike."""
        record = self.record(kind, id)
        if record is None or not self.visible(record):
            raise Refused("not_found", id=id)
        return record

    def visible(self, record: Aggregate) -> bool:
        """True where one of the query's duties reaches the record's division and field."""
        duties = [duty for duty in self.context.may if duty not in OWN_DUTIES]
        return self.context.holds(duties, record.division, getattr(record, "field", None))

    def jurisdiction(self, column: str = "division", field_column: str | None = None) -> str:
        """The SQL condition of what the caller's grants reach; codes only, so it can stand in a statement as it is."""
        parts = []
        for grant in self.context.caller.grants:
            if (
                grant.duty not in self.context.may
                or grant.duty in OWN_DUTIES
                or not self.context.reaches(grant, grant.division)
            ):
                continue
            part = f"{column} like '{prefix(_digits(grant.division))}%%'"
            part = self._with_reports_to(part, column, grant.division)
            if field_column and EVERY_FIELD not in grant.fields:
                part += f" and {field_column} in ({', '.join(_quoted(f) for f in grant.fields)})"
            parts.append(f"({part})")
        return f"({' or '.join(parts)})" if parts else "false"

    def _with_reports_to(self, part: str, column: str, area: str) -> str:
        """Divisions inside the area that report elsewhere are left out; those that report to it come in."""
        tree, today = self.context.divisions, self.context.today
        if tree is None:
            return part
        for code, _ in tree.reporting(today):
            if prefix(code).startswith(prefix(area)) and not tree.within(area, code, today):
                part = f"({part} and {column} not like '{prefix(code)}%%')"
            elif not prefix(code).startswith(prefix(area)) and tree.within(area, code, today):
                part = f"({part} or {column} like '{prefix(code)}%%')"
        return part

    def open(self, record: Aggregate, field: str, *, subject: str | None = None) -> str | None:
        """The plain text of a record's private field; the audit trail notes whose and which."""
        value = getattr(record, field)
        return None if value is None else self.open_value(value, subject or subject_of(record), field)

    def open_value(self, value: Private, subject: str, field: str) -> str:
        """The plain text of a private value of a person; noted likewise."""
        self.seen[subject].add(field)
        return self.keys.open(subject, value)


def locked(connection: Any, kind: type[A], ids: Sequence[str]) -> Iterator[tuple[A, int]]:
    """Records with their versions, locked in the order of the ids, which are sorted; those that there are."""
    for _, found in in_portions(connection, kind, ids, "for update"):
        yield from found


def in_portions(
    connection: Any, kind: type[A], ids: Sequence[str], lock: str = ""
) -> Iterator[tuple[list[str], list[tuple[A, int]]]]:
    """A portion of the ids after another, each with the records that there are of it and their versions."""
    sql = f"select version, {BODY} from {kind.kind} where id = any(%s) order by id {lock}"
    for some, rows in ahead((each, connection.execute(sql, (each,), binary=True).fetchall()) for each in portions(ids)):
        yield some, [(codec.decode(body, kind), version) for version, body in rows]


def portions(ids: Sequence[str]) -> Iterator[list[str]]:
    """The ids, as many at once as are read at once."""
    return (list(ids[start : start + A_PORTION]) for start in range(0, len(ids), A_PORTION))


def subject_of(record: Aggregate) -> str:
    """The id of the person whose key seals the record's private fields."""
    return str(getattr(record, type(record).subject or "id"))


def _digits(code: str) -> str:
    if len(code) != 12 or not code.isdigit():
        raise Refused("unknown_division", code=code)
    return code


def _quoted(code: str) -> str:
    if not code.replace("_", "").isalnum():
        raise Refused("unknown_code", code=code)
    return f"'{code}'"
