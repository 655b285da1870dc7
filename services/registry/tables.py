"""The tables of registry: the rules a second time, as constraints. A constraint's name is the refusal's code."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, MetaData, UniqueConstraint, text

from banyan.runtime.commands.tables import aggregate_table, kept
from services.registry.domain.assignment import ASSIGNMENT, Assignment
from services.registry.domain.imports import IMPORT, Import, Upload
from services.registry.domain.person import PERSON, Person

METADATA = MetaData()


def one_of(column: str, states: tuple[str, ...]) -> CheckConstraint:
    """The column holds one of the machine's states."""
    listed = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} in ({listed})")


PERSON_TABLE = aggregate_table(
    METADATA,
    Person,
    kept("state"),
    kept("level"),
    kept("sort_key"),
    kept("document_index", "document.i.0"),
    kept("likeness", "birth_date.i.0"),
    kept("ends_on", as_="date"),
    kept("account"),
    kept("merged_into"),
    one_of("state", PERSON.states),
    UniqueConstraint("document_index", name="document_taken"),
    UniqueConstraint("account", name="account_taken"),
    Index("person_by_name", text("(body -> 'name' -> 'i')"), postgresql_using="gin"),
    Index("person_by_document", text("(body -> 'document' -> 'i')"), postgresql_using="gin"),
    Index("person_by_phone", text("(body -> 'phone' -> 'i')"), postgresql_using="gin"),
    Index("person_likeness", "likeness"),
    Index("person_by_order", text('sort_key collate "C", id')),
    Index("person_ends", "ends_on", postgresql_where=text("state = 'active'")),
    Index("person_merged", "merged_into", postgresql_where=text("merged_into is not null")),
    Index("person_suspected", "id", postgresql_where=text("jsonb_array_length(body -> 'suspected') > 0")),
)

ASSIGNMENT_TABLE = aggregate_table(
    METADATA,
    Assignment,
    kept("state"),
    kept("person_id"),
    kept("host_id"),
    kept("live"),
    kept("until", as_="date"),
    one_of("state", ASSIGNMENT.states),
    UniqueConstraint("live", name="assignment_open"),
    Index("assignment_of_person", "person_id", "id"),
    Index("assignment_of_host", "host_id", "id"),
    Index("assignment_until", "until", postgresql_where=text("live is not null")),
)

UPLOAD_TABLE = aggregate_table(
    METADATA,
    Upload,
    kept("digest"),
    kept("part", as_="int"),
    kept("place"),
    UniqueConstraint("place", name="part_uploaded"),
)

IMPORT_TABLE = aggregate_table(
    METADATA,
    Import,
    kept("state"),
    one_of("state", IMPORT.states),
    kept("refused_until", as_="instant"),
    Index("import_waiting", "id", postgresql_where=text("state = 'waiting'")),
    Index("import_refused", "refused_until", postgresql_where=text("refused_until is not null")),
)
