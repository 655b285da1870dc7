"""Import 批量录入: a file of persons that waits, is taken in row by row, and ends with a count of what was refused."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.registry import FinishImport, ImportFinished, ImportStarted, StartImport
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.registry.domain.particulars import resolved

FORMATS = ("csv", "xlsx")

IMPORT = Machine(
    "import",
    initial="waiting",
    moves=[Move("finish", "waiting", "finished"), Move("fail", "waiting", "failed")],
    ends=("finished", "failed"),
)


class Import(Aggregate, frozen=True, kw_only=True):
    """One file: who wants it taken in, for which division, and how it ended. Its progress is the job's."""

    kind: ClassVar[str] = "import"
    prefix: ClassVar[str] = "i"
    subject: ClassVar[str | None] = None

    state: str
    digest: str
    format: str
    submit: bool
    started_by: str
    rows: int = 0
    refused: int = 0
    failure: str = ""


@decides(StartImport, on=Import, facts=("uploaded",))
def start_import(_: None, command: StartImport, context: Context, *, uploaded: bool) -> tuple[Any, ...]:
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
        started_by=context.actor,
    )
    return started, ImportStarted(import_id=started.id, division=started.division, digest=started.digest)


@decides(FinishImport, on=Import, key="import_id")
def finish_import(record: Import, command: FinishImport, context: Context) -> tuple[Any, ...]:
    """Records how it ended; a file that could not be read at all has failed."""
    state = IMPORT.move("fail" if command.failure else "finish", record.state)
    record = replace(record, state=state, rows=command.rows, refused=command.refused, failure=command.failure)
    event = ImportFinished(
        import_id=record.id,
        division=record.division,
        rows=command.rows,
        refused=command.refused,
        failure=command.failure,
    )
    return record, event
