"""Questions to registry about assignments and imports; imported by views, where the frame looks for answers."""

from __future__ import annotations

from typing import Any

import msgspec

from banyan.contracts.registry import FindAssignments, GetImport
from banyan.contracts.registry_answers import AssignmentLine, Assignments, ImportView, RefusedRow
from banyan.kernel.context import Context
from banyan.kernel.refusal import sentence
from banyan.runtime.commands.store import Db, answers
from services.registry import cursors
from services.registry.domain.assignment import Assignment
from services.registry.domain.imports import Import

COPIED = (
    "id",
    "person_id",
    "host_kind",
    "host_id",
    "division",
    "area",
    "state",
    "fields",
    "weekly_capacity",
    "since",
    "until",
)
FOUND = "select id, version from assignment where {where} order by id limit %(limit)s"
PROGRESS = "select done, coalesce(total, 0), refused from job where id = %(id)s"
REFUSED_ROWS = (
    "select row, code, facts::text from job_row where job_id = %(id)s and row > %(after)s order by row limit %(limit)s"
)


@answers(FindAssignments)
def find_assignments(query: FindAssignments, context: Context, db: Db) -> Assignments:
    """A page of assignments in the order they were begun, within what the caller may see."""
    parts = [db.jurisdiction(), "id > %(after)s"]
    asked: dict[str, Any] = {"after": cursors.opened(query.next)[0], "limit": query.limit + 1}
    for name in ("person_id", "host_id", "state"):
        if (value := getattr(query, name)) is not None:
            parts.append(f"{name} = %({name})s")
            asked[name] = value
    rows = db.rows(FOUND.format(where=" and ".join(parts)), asked)
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return Assignments(items=_lines(db, page), next=cursors.closed(page[-1][0]) if more else None)


def lines_of_person(db: Db, person_id: str) -> tuple[AssignmentLine, ...]:
    """All assignments of a person, for the person's own copy."""
    return _lines(
        db, db.rows("select id, version from assignment where person_id = %(id)s order by id", {"id": person_id})
    )


def _lines(db: Db, rows: list[tuple[Any, ...]]) -> tuple[AssignmentLine, ...]:
    versions = dict(rows)
    found = db.records(Assignment, "id = any(%(ids)s) order by id", {"ids": list(versions)})
    return tuple(
        AssignmentLine(version=versions[one.id], **{name: getattr(one, name) for name in COPIED}) for one in found
    )


@answers(GetImport)
def get_import(query: GetImport, context: Context, db: Db) -> ImportView:
    """How far an import is, and a page of the rows that were refused, each with what to do."""
    record = db.require(Import, query.import_id)
    progress = db.rows(PROGRESS, {"id": record.id})
    done, total, refused = progress[0] if progress else (0, 0, 0)
    after = cursors.opened(query.next)[0] or "0"
    rows = db.rows(REFUSED_ROWS, {"id": record.id, "after": int(after), "limit": query.limit + 1})
    page = rows[: query.limit]
    return ImportView(
        id=record.id,
        state=record.state,
        rows=record.rows or total,
        done=done,
        refused=record.refused or refused,
        failure=record.failure,
        items=tuple(_refused_row(*row) for row in page),
        next=cursors.closed(str(page[-1][0])) if len(rows) > query.limit else None,
    )


def _refused_row(row: int, code: str, facts: str) -> RefusedRow:
    title, remedy = sentence(code)
    shown = "；".join(f"{name}={value}" for name, value in msgspec.json.decode(facts).items())
    return RefusedRow(row=row, code=code, facts=shown, title=title, remedy=remedy)
