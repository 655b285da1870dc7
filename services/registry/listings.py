"""Questions to registry about assignments and imports; imported by views, where the frame looks for answers."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from banyan.contracts.frame import FILE_PART_BYTES, FilePart
from banyan.contracts.registry import FindAssignments, GetImport, ReadRefusedRows
from banyan.contracts.registry_answers import AssignmentLine, Assignments, ImportView, RefusedRow
from banyan.kernel import cells
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused, sentence
from banyan.runtime.commands.store import Db, answers
from services.registry import cursors
from services.registry.domain.assignment import Assignment
from services.registry.domain.imports import Import, Upload
from services.registry.refused import facts_shown

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
    return RefusedRow(row=row, code=code, facts=facts_shown(facts), title=title, remedy=remedy)


@answers(ReadRefusedRows)
def read_refused_rows(query: ReadRefusedRows, context: Context, db: Db) -> FilePart:
    """One part of the file of refused rows. Refuses `file_not_ready`, `file_none`, `file_expired`, `past_the_end`."""
    record = db.require(Import, query.import_id)
    if record.state == "waiting":
        progress = db.rows(PROGRESS, {"id": record.id})
        raise Refused("file_not_ready", done=progress[0][0] if progress else 0)
    if record.refused == 0:
        raise Refused("file_none", refused=0, failure=record.failure)
    if record.refused_until is None or record.refused_until <= context.now:
        raise Refused("file_expired")
    part = db.record(Upload, record.refused_ids[query.part]) if query.part < len(record.refused_ids) else None
    if part is None:
        raise Refused("past_the_end", size=record.refused_size, part_bytes=FILE_PART_BYTES)
    place = context.divisions.find(record.division, context.today) if context.divisions else None
    return FilePart(
        name=f"被退回的行-{place.name if place else record.division}-{record.id}.csv",
        media_type=cells.MEDIA_TYPE,
        size=record.refused_size,
        digest=record.refused_digest,
        part=query.part,
        content=b64decode(db.open(part, "content") or ""),
    )
