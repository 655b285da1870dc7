"""Export 导出: a table of figures, or of what stands behind one, that becomes a file and is kept for a time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.insight import READERS, ExpireExport, FinishExport, StartExport
from banyan.kernel.context import Caller, Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.divisions import prefix
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.insight.domain.export_tables import MEDIA_TYPES, TABLES

EXPORT = Machine(
    "export",
    initial="waiting",
    moves=[
        Move("finish", "waiting", "made"),
        Move("fail", "waiting", "failed"),
        Move("expire", "made", "expired"),
    ],
    ends=("failed", "expired"),
)


class Export(Aggregate, frozen=True, kw_only=True):
    """What was asked, of which day and snapshot, by whom; how it ended. Its parts stand beside it, not in it."""

    kind: ClassVar[str] = "export"
    prefix: ClassVar[str] = "x"

    state: str
    asked: StartExport
    on: date
    as_of: dict[str, int]
    started_by: Caller
    rows: int = 0
    not_shown: int = 0
    size: int = 0
    digest: str = ""
    failure: str = ""
    expires_at: datetime | None = None


@decides(StartExport, on=Export, facts=("stand", "exports_waiting"))
def start_export(
    _: None, command: StartExport, context: Context, *, stand: dict[str, int], exports_waiting: int
) -> tuple[Any, ...]:
    """Takes note of it, with the snapshot of this moment; a job makes the file as the officer who asked."""
    require_known(command)
    most = int(context.figure("exports_waiting_most"))
    if exports_waiting >= most:
        raise Refused("exports_waiting", waiting=exports_waiting, most=most)
    started = Export(
        id=context.new_id(Export.prefix),
        division=command.division,
        state=EXPORT.initial,
        asked=command,
        on=command.on or context.today,
        as_of=stand,
        started_by=context.caller,
    )
    return (started,)


def require_known(command: StartExport) -> None:
    """Refuses `unknown_code` for another table, format or word than there is, naming those; `bad_input` for a trend
    that begins nowhere."""
    _among("export_table", command.table, tuple(TABLES))
    _among("export_format", command.format, tuple(MEDIA_TYPES))
    if command.of is not None:
        _among("export_of", command.of, TABLES[command.table].of)
    if command.table == "trend" and command.since is None:
        raise Refused("bad_input", field="since", detail="a trend begins on a day")


def _among(kind: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Refused("unknown_code", kind=kind, value=value[:40], known=list(known))


@decides(FinishExport, on=Export, key="export_id")
def finish_export(record: Export, command: FinishExport, context: Context) -> tuple[Any, ...]:
    """The file stands and is kept for some hours; or it cannot be made, and why."""
    if command.failure:
        return (replace(record, state=EXPORT.move("fail", record.state), failure=command.failure),)
    hours = int(context.figure("export_kept_hours", division=record.division))
    made = replace(
        record,
        state=EXPORT.move("finish", record.state),
        rows=command.rows,
        not_shown=command.not_shown,
        size=command.size,
        digest=command.digest,
        expires_at=context.now + timedelta(hours=hours),
    )
    return (made,)


@decides(ExpireExport, on=Export, key="export_id")
def expire_export(record: Export, command: ExpireExport, context: Context) -> tuple[Any, ...]:
    """Its time is over: nobody reads it any more, and its parts are deleted."""
    if record.expires_at is None or record.expires_at > context.now:
        raise Refused("not_due", due_at=str(record.expires_at))
    return (replace(record, state=EXPORT.move("expire", record.state)),)


def may_read(record: Export, context: Context) -> bool:
    """Whoever reaches every division and field of service that the figures in it were made with, whoever asked."""
    made_with = [grant for grant in record.started_by.grants if grant.duty in READERS]
    parts = {
        (deeper, field)
        for grant in made_with
        for deeper in _overlap(grant.division, record.division)
        for field in grant.fields
    }
    return context.holds(READERS, record.division) and all(context.holds(READERS, *part) for part in parts)


def _overlap(one: str, other: str) -> tuple[str, ...]:
    """The smaller of two areas where it lies in the larger; nothing where they lie apart."""
    smaller, larger = (one, other) if len(prefix(one)) >= len(prefix(other)) else (other, one)
    return (smaller,) if smaller.startswith(prefix(larger)) else ()
