"""Long work of insight: an export is read page by page in one snapshot, then written by a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from banyan.contracts.frame import FILE_PART_BYTES
from banyan.contracts.insight import FinishExport
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db
from banyan.runtime.host import apart, scratch
from banyan.runtime.host.jobs import Run, job
from services.insight.domain.export import Export
from services.insight.domain.export_tables import TABLES, About
from services.insight.store import name_of
from services.insight.views.tables import SOURCES, not_shown

PAGE_ROWS = 20_000
WRITER = "services.insight.files"
LAST = (
    "select number, following, sum(rows) over ()::bigint, not_shown from export_page where export_id = %s"
    " order by number desc limit 1"
)
ADD_PAGE = (
    "insert into export_page (export_id, number, rows, not_shown, following, content) values (%s, %s, %s, %s, %s, %s)"
)
PAGES = "select content from export_page where export_id = %s and number = %s"
FORGET_PARTS = "delete from export_part where export_id = %s"
ADD_PART = "insert into export_part (export_id, part, content) values (%s, %s, %s)"


def waiting_exports(db: Db) -> list[str]:
    """Exports that are not made, the oldest first."""
    return [id for (id,) in db.rows("select id from export where state = 'waiting' order by id limit 20")]


@job(waiting=waiting_exports)
def make_export(run: Run) -> None:
    """Makes an export's file from where it was; ends with its size, or with the reason why it cannot be made."""
    with run.bus.own_db() as db:
        record = db.record(Export, run.id)
    assert record is not None, "a waiting export stands"
    try:
        pages = _read(run, record)
    except Refused as refused:
        return _finish(run, FinishExport(export_id=run.id, failure=refused.code))
    return None if pages is None else _write(run, record, pages)


class Read(msgspec.Struct, frozen=True):
    """How far reading is: pages, rows, and how many cases are not shown."""

    pages: int
    rows: int
    not_shown: int


def _read(run: Run, record: Export) -> Read | None:
    """Reads the pages that are still missing, as the officer who asked; None where the process is to stop."""
    source, table = SOURCES[record.asked.table], record.asked.table
    with run.bus.own_db() as db:
        found = db.rows(LAST, (run.id,))
    number, following, rows, hidden = found[0] if found else (-1, None, 0, 0)
    while number < 0 or following:
        if run.stop():
            return None
        answer = run.bus.ask(source.query(record, following, PAGE_ROWS), record.started_by)
        page = source.page(table, answer)
        number, following = number + 1, getattr(answer, "next", None)
        rows, hidden = rows + len(page), not_shown(answer)
        content = msgspec.json.encode(page).decode()
        with run.bus.own_db() as db:
            db.run(ADD_PAGE, (run.id, number, len(page), hidden, following, content))
        run.note(rows, None, ())
    return Read(number + 1, rows, hidden)


def _write(run: Run, record: Export, pages: Read) -> None:
    with scratch.folder() as folder:
        path = folder / "file"
        if not _written(run, record, pages, path):
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with path.open("rb") as file, run.bus.own_db() as db:
            db.run(FORGET_PARTS, (run.id,))
            for part, content in enumerate(iter(lambda: file.read(FILE_PART_BYTES), b"")):
                db.run(ADD_PART, (run.id, part, content))
        size = path.stat().st_size
    done = FinishExport(export_id=run.id, rows=pages.rows, not_shown=pages.not_shown, size=size, digest=digest)
    return _finish(run, done)


def _written(run: Run, record: Export, pages: Read, path: Path) -> bool:
    """Whether the process that writes came to its end; False where this one is to stop, which ends the other too."""
    with tempfile.TemporaryFile() as trouble:
        asked = (record.asked.table, record.asked.format, str(path))
        with apart.started(WRITER, *asked, trouble=trouble, stdin=subprocess.PIPE) as writer:
            if not (_told(run, record, pages, writer) and apart.ended(writer, run.stop)):
                return False
            if writer.returncode:
                raise RuntimeError(apart.last_words(trouble))
    return True


def _told(run: Run, record: Export, pages: Read, writer: subprocess.Popen[bytes]) -> bool:
    """Gives the writer what it needs, as far as it takes it; False where this process is to stop."""
    assert writer.stdin is not None, "asked for"
    with run.bus.own_db() as db:
        told = msgspec.json.encode(_about(record, pages, db.context))
    with contextlib.suppress(BrokenPipeError), writer.stdin as into:  # a writer that failed says why when it ended
        into.write(told + b"\n")
        for number in range(pages.pages):
            if run.stop():
                return False
            with run.bus.own_db() as db:
                content = db.rows(PAGES, (run.id, number))[0][0]
            into.write(content.encode() + b"\n")
    return True


def _about(record: Export, pages: Read, context: Any) -> About:
    told = {
        "表": TABLES[record.asked.table].title,
        "辖区": f"{name_of(context.divisions, record.division, record.on)}（{record.division}）",
        "日期": record.on.isoformat(),
        "行数": str(pages.rows),
        "快照": "、".join(f"{stream}={position}" for stream, position in sorted(record.as_of.items())),
        "条件": "、".join(f"{name}={value}" for name, value in _chosen(record)) or "无",
    }
    return About(told=told, not_shown=pages.not_shown, on=record.on)


def _chosen(record: Export) -> list[tuple[str, Any]]:
    names = ("of", "since", "urgency", "field", "client_group", "ending")
    return [(name, value) for name in names if (value := getattr(record.asked, name)) is not None]


def _finish(run: Run, command: FinishExport) -> None:
    run.bus.system(command, f"finish:{run.id}")
