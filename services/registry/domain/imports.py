"""Import 批量录入: a file of persons that waits, is taken in row by row, and ends with a count of what was refused."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.registry import (
    AddUpload,
    FinishImport,
    ForgetRefusedRows,
    ImportFinished,
    ImportStarted,
    KeepRefusedRows,
    StartImport,
)
from banyan.kernel.context import Caller, Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.message import DestroyKey
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.registry.domain.particulars import resolved

FORMATS = ("csv", "xlsx")

IMPORT = Machine(
    "import",
    initial="waiting",
    moves=[Move("finish", "waiting", "finished"), Move("fail", "waiting", "failed")],
    ends=("finished", "failed"),
)


class Upload(Aggregate, frozen=True, kw_only=True):
    """A part of an uploaded file, sealed under a key of its own that is destroyed once the file is taken in; or of the
    file of rows that were refused, which is kept for some days."""

    kind: ClassVar[str] = "upload"
    prefix: ClassVar[str] = "u"
    subject: ClassVar[str | None] = "id"

    place: str | None  # who uploaded which part of what; None once it was taken in, and of refused rows
    digest: str
    part: int
    parts: int
    by: str
    content: Private | None  # base64


class Import(Aggregate, frozen=True, kw_only=True):
    """One file: who wants it taken in, for which division, and how it ended. Its progress is the job's."""

    kind: ClassVar[str] = "import"
    prefix: ClassVar[str] = "i"
    subject: ClassVar[str | None] = None

    state: str
    digest: str
    format: str
    submit: bool
    upload_ids: tuple[str, ...]
    started_by: Caller
    rows: int = 0
    refused: int = 0
    failure: str = ""
    refused_ids: tuple[str, ...] = ()  # the parts of the file of refused rows
    refused_size: int = 0
    refused_digest: str = ""
    refused_until: datetime | None = None


@decides(AddUpload, on=Upload)
def add_upload(_: None, command: AddUpload, context: Context) -> tuple[Any, ...]:
    """Keeps one part of a file."""
    upload = Upload(
        id=context.new_id(Upload.prefix),
        division=resolved(command.division, context),
        place=f"{context.actor} {command.digest} {command.part}",
        digest=command.digest,
        part=command.part,
        parts=command.parts,
        by=context.actor,
        content=Private(b64encode(command.content).decode(), kind="file"),
    )
    return (upload,)


@decides(StartImport, on=Import, facts=("uploaded",))
def start_import(_: None, command: StartImport, context: Context, *, uploaded: tuple[str, ...]) -> tuple[Any, ...]:
    """Takes note of an uploaded file; rows are then taken in by a job, as the officer who asked for it."""
    if command.format not in FORMATS:
        raise Refused("unknown_code", kind="format", value=command.format[:40])
    if not uploaded:
        raise Refused("upload_missing", digest=command.digest)
    started = Import(
        id=context.new_id(Import.prefix),
        division=resolved(command.division, context),
        state=IMPORT.initial,
        digest=command.digest,
        format=command.format,
        submit=command.submit,
        upload_ids=uploaded,
        started_by=context.caller,
    )
    return started, ImportStarted(import_id=started.id, division=started.division, digest=started.digest)


@decides(KeepRefusedRows, on=Upload, also={"record": (Import, "import_id")})
def keep_refused_rows(_: None, command: KeepRefusedRows, context: Context, *, record: Import) -> tuple[Any, ...]:
    """Keeps one part of the rows that were refused, sealed like the file that they came in."""
    kept = Upload(
        id=context.new_id(Upload.prefix),
        division=record.division,
        place=None,
        digest=command.digest,
        part=command.part,
        parts=command.parts,
        by=record.started_by.account,
        content=Private(b64encode(command.content).decode(), kind="file"),
    )
    return (kept,)


@decides(
    FinishImport,
    on=Import,
    key="import_id",
    also={"parts": (Upload, lambda record, command: record.upload_ids)},
)
def finish_import(
    record: Import, command: FinishImport, context: Context, *, parts: tuple[Upload, ...]
) -> tuple[Any, ...]:
    """Records how it ended and destroys the file; one that could not be read at all has failed."""
    days = int(context.figure("refused_rows_days", division=record.division))
    record = replace(
        record,
        state=IMPORT.move("fail" if command.failure else "finish", record.state),
        rows=command.rows,
        refused=command.refused,
        failure=command.failure,
        refused_ids=command.refused_ids,
        refused_size=command.refused_size,
        refused_digest=command.refused_digest,
        refused_until=context.now + timedelta(days=days) if command.refused_ids else None,
    )
    event = ImportFinished(
        import_id=record.id,
        division=record.division,
        rows=command.rows,
        refused=command.refused,
        failure=command.failure,
    )
    gone, destroyed = _destroyed(parts)
    return {"": record, "parts": gone}, event, *destroyed


def _destroyed(parts: tuple[Upload, ...]) -> tuple[tuple[Upload, ...], tuple[DestroyKey, ...]]:
    gone = tuple(replace(part, content=None, place=None) for part in parts)
    return gone, tuple(DestroyKey(person_id=part.id) for part in parts)


@decides(
    ForgetRefusedRows,
    on=Import,
    key="import_id",
    also={"parts": (Upload, lambda record, command: record.refused_ids)},
)
def forget_refused_rows(
    record: Import, command: ForgetRefusedRows, context: Context, *, parts: tuple[Upload, ...]
) -> tuple[Any, ...]:
    """Destroys the rows that were refused once their time is over; how many they were stays known."""
    if record.refused_until is None or record.refused_until > context.now:
        raise Refused("not_due", due_at=str(record.refused_until))
    gone, destroyed = _destroyed(parts)
    return {"": replace(record, refused_ids=(), refused_until=None), "parts": gone}, *destroyed
