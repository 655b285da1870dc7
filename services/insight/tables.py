"""The tables of insight: versions by stream position, folded from events; made in a schema that is given at run time.

No wall clock, sequence or fraction stands in them, so that a rebuild is equal to the last bit. Exports are records of
their own, apart from what is rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

from banyan.runtime.commands.tables import aggregate_table, kept
from services.insight.domain.assignment import AssignmentFacts
from services.insight.domain.export import EXPORT, Export
from services.insight.domain.person import PersonFacts
from services.insight.domain.request import RequestFacts
from services.insight.domain.versions import Facts
from services.insight.domain.worker import WorkerFacts

LIVE = "live"
METADATA = MetaData()
_TYPES: dict[type, TypeEngine[Any]] = {
    str: Text(collation="C"),
    int: BigInteger(),
    bool: Boolean(),
    date: Date(),
    datetime: DateTime(timezone=True),
}
ARRAYS = {str: "text[]", int: "bigint[]", bool: "boolean[]", date: "date[]", datetime: "timestamptz[]"}


@dataclass(frozen=True)
class Track:
    """One table of versions: the key's column, the columns of its stretch in the world, and its facts."""

    table: Table
    key: str
    start: str
    stop: str
    facts: type[Facts]
    moment: type
    arrays: tuple[str, ...]  # PostgreSQL array types of the facts' columns

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which they are written and read."""
        return (self.key, "from_pos", "until_pos", self.start, self.stop, *self.facts.__struct_fields__)


def _plain(hint: Any) -> tuple[type, bool]:
    """The type of a field, and whether it may be None."""
    if isinstance(hint, UnionType):
        first = next(each for each in get_args(hint) if each is not NoneType)
        return first, True
    return hint, False


def _track(name: str, key: str, facts: type[Facts], moment: type, suffix: str) -> Track:
    start, stop = f"from_{suffix}", f"until_{suffix}"
    hints = get_type_hints(facts)
    plain = {field: _plain(hints[field]) for field in facts.__struct_fields__}
    table = Table(
        name,
        METADATA,
        Column(key, _TYPES[str], primary_key=True),
        Column("from_pos", BigInteger, primary_key=True, autoincrement=False),
        Column("until_pos", BigInteger),
        Column(start, _TYPES[moment], primary_key=True),
        Column(stop, _TYPES[moment]),
        *(Column(field, _TYPES[kind], nullable=nullable) for field, (kind, nullable) in plain.items()),
    )
    Index(f"{name}_current", table.c[key], postgresql_where=table.c.until_pos.is_(None))
    Index(f"{name}_division", table.c.division)
    return Track(table, key, start, stop, facts, moment, tuple(ARRAYS[kind] for kind, _ in plain.values()))


PERSON = _track("person", "person_id", PersonFacts, date, "on")
ASSIGNMENT = _track("assignment", "assignment_id", AssignmentFacts, datetime, "at")
REQUEST = _track("request", "request_id", RequestFacts, datetime, "at")
WORKER = _track("worker", "worker_id", WorkerFacts, datetime, "at")

PLACE = Table("place", METADATA, Column("code", Text(collation="C"), primary_key=True))
KNOWN_DAY = Table(
    "known_day",
    METADATA,
    Column("stream", Text(collation="C"), primary_key=True),
    Column("on_day", Date, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

RECORDS = MetaData()
EXPORT_TABLE = aggregate_table(
    RECORDS,
    Export,
    kept("state"),
    kept("expires_at", as_="instant"),
    CheckConstraint(f"state in ({', '.join(repr(state) for state in EXPORT.states)})", name="export_state"),
    Index("export_waiting", "id", postgresql_where=text("state = 'waiting'")),
    Index("export_made", "expires_at", postgresql_where=text("state = 'made'")),
)
EXPORT_PAGE = Table(
    "export_page",
    RECORDS,
    Column("export_id", Text(collation="C"), ForeignKey("export.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", BigInteger, nullable=False),
    Column("not_shown", BigInteger, nullable=False),
    Column("following", Text),
    Column("content", Text, nullable=False),
    info={"rights": "select, insert, delete"},
)
"""What was read so far of an export that is being made: JSON rows, and where the next page begins."""
EXPORT_PART = Table(
    "export_part",
    RECORDS,
    Column("export_id", Text(collation="C"), ForeignKey("export.id"), primary_key=True),
    Column("part", BigInteger, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    info={"rights": "select, insert, delete"},
)
"""The file, in parts that are sent as they stand."""
