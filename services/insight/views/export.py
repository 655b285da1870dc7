"""Questions about an export: how far it is, and its file part by part."""

from __future__ import annotations

from banyan.contracts import insight
from banyan.contracts.frame import FILE_PART_BYTES, FilePart
from banyan.contracts.insight_shapes import ExportView
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.domain.export import Export, may_read
from services.insight.domain.export_tables import MEDIA_TYPES, TABLES
from services.insight.store import name_of

DONE = "select done from job where id = %(id)s"
PART = "select content from export_part where export_id = %(id)s and part = %(part)s"


@answers(insight.GetExport)
def get_export(query: insight.GetExport, context: Context, db: Db) -> ExportView:
    """How far an export is; one that was made with more than the caller reaches is not there."""
    record = _readable(query.export_id, context, db)
    progress = db.rows(DONE, {"id": record.id})
    return ExportView(
        division=record.division,
        on=record.on,
        as_of=record.as_of,
        id=record.id,
        state=record.state,
        table=record.asked.table,
        format=record.asked.format,
        name=_name(record, context),
        media_type=MEDIA_TYPES[record.asked.format],
        done=progress[0][0] if progress else 0,
        rows=record.rows,
        not_shown=record.not_shown,
        size=record.size,
        digest=record.digest,
        failure=record.failure,
        expires_at=record.expires_at,
    )


@answers(insight.ReadExport)
def read_export(query: insight.ReadExport, context: Context, db: Db) -> FilePart:
    """One part of the file. Refuses `file_not_ready`, `file_none`, `file_expired`, and `past_the_end`."""
    record = _readable(query.export_id, context, db)
    if record.state == "waiting":
        progress = db.rows(DONE, {"id": record.id})
        raise Refused("file_not_ready", done=progress[0][0] if progress else 0)
    if record.state == "failed":
        raise Refused("file_none", failure=record.failure)
    if record.expires_at is None or record.expires_at <= context.now:
        raise Refused("file_expired", expired_at=str(record.expires_at))
    found = db.rows(PART, {"id": record.id, "part": query.part})
    if not found:
        raise Refused("past_the_end", size=record.size, part_bytes=FILE_PART_BYTES)
    return FilePart(
        name=_name(record, context),
        media_type=MEDIA_TYPES[record.asked.format],
        size=record.size,
        digest=record.digest,
        part=query.part,
        content=bytes(found[0][0]),
    )


def _readable(id: str, context: Context, db: Db) -> Export:
    record = db.record(Export, id)
    if record is None or not may_read(record, context):
        raise Refused("not_found", id=id)
    return record


def _name(record: Export, context: Context) -> str:
    """The file's name as people read it: what, where, of which day."""
    place = name_of(context.divisions, record.division, record.on)
    return f"{TABLES[record.asked.table].title}-{place}-{record.on.isoformat()}.{record.asked.format}"
