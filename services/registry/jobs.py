"""Long work of registry: taking in uploaded files of persons, in chunks, as the officer who asked for it."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from banyan.contracts.frame import FILE_PART_BYTES
from banyan.contracts.registry import FinishImport, KeepRefusedRows, RegisterPerson
from banyan.kernel.message import Done
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.many import run_many
from banyan.runtime.commands.orders import SYSTEM_TIMEOUT_S, Order
from banyan.runtime.commands.store import Db
from banyan.runtime.host import clock
from banyan.runtime.host.jobs import Run, job
from services.registry.domain.imports import Import, Upload
from services.registry.imports import Reader, rows_of
from services.registry.refused import refused_csv

CHUNK = 500  # rows in one transaction, under keys of their own
REFUSALS = "select row, code, facts::text from job_row where job_id = %s order by row"
Numbered = tuple[int, RegisterPerson]


def waiting_imports(db: Db) -> list[str]:
    """Imports that are not finished, the oldest first."""
    return [id for (id,) in db.rows("select id from import where state = 'waiting' order by id limit 20")]


@job(waiting=waiting_imports)
def take_in(run: Run) -> None:
    """Takes in a file from where it was; ends with the counts, or with the reason why the file cannot be read."""
    record, content = _read(run)
    try:
        if hashlib.sha256(content).hexdigest() != record.digest:
            raise Refused("upload_damaged", digest=record.digest)
        reader, rows = rows_of(content, record.format, division=record.division, submit=record.submit)
    except Refused as refused:
        return _finish(run, FinishImport(import_id=run.id, rows=0, refused=0, failure=refused.code))
    for start in range(run.done, len(rows), CHUNK):
        if run.stop():
            return None
        chunk = rows[start : start + CHUNK]
        run.note(start + len(chunk), len(rows), _take_in_chunk(run, record, reader, chunk))
    done = FinishImport(import_id=run.id, rows=len(rows), refused=run.refused)
    return _finish(run, _with_refused_rows(run, record, reader, dict(rows), done))


def _read(run: Run) -> tuple[Import, bytes]:
    """The import and its file, put together from its parts; nobody is shown it, so nothing is noted."""
    with run.bus.own_db() as db:
        record = db.record(Import, run.id)
        assert record is not None, "a waiting import stands"
        parts = {part.id: part for part in db.records(Upload, "id = any(%(ids)s)", {"ids": list(record.upload_ids)})}
        plain = (db.keys.open(id, parts[id].content) for id in record.upload_ids)  # type: ignore[arg-type]
        return record, b"".join(b64decode(text) for text in plain)


def _take_in_chunk(
    run: Run, record: Import, reader: Reader, chunk: Sequence[tuple[int, Sequence[object]]]
) -> list[tuple[int, Refused]]:
    """Registers a chunk's persons; answers the rows that were refused, each by its number in the file."""
    refusals: list[tuple[int, Refused]] = []
    good: list[Numbered] = []
    first: dict[tuple[str, str], int] = {}
    for number, values in chunk:
        try:
            command = reader.command(values)
            repeated = first.setdefault((command.document_kind, command.document_number), number)
            if repeated != number:
                raise Refused("repeated_in_file", first_row=repeated)
            good.append((number, command))
        except Refused as refused:
            refusals.append((number, refused))
    return refusals + _registered(run, record, good)


def _registered(run: Run, record: Import, good: Sequence[Numbered]) -> list[tuple[int, Refused]]:
    """Registers persons; who looks like an earlier one of the chunk comes after it, so that the rule sees both."""
    now: list[Numbered] = []
    later: list[Numbered] = []
    seen: set[tuple[str, str | None]] = set()
    for number, command in good:
        (later if command.phone and (command.name, command.phone) in seen else now).append((number, command))
        seen.add((command.name, command.phone))
    if not now:
        return []
    deadline_s = clock.epoch_s() + SYSTEM_TIMEOUT_S
    orders = [Order(command, record.started_by, f"{run.id}:{number}", deadline_s) for number, command in now]
    answers = run_many(run.bus, orders)
    refusals = [(number, no) for (number, _), no in zip(now, answers, strict=True) if isinstance(no, Refused)]
    return refusals + _registered(run, record, later)


def _with_refused_rows(
    run: Run, record: Import, reader: Reader, rows: Mapping[int, Sequence[object]], done: FinishImport
) -> FinishImport:
    """Keeps what was refused, so that it can be corrected; each part under a key of its own."""
    with run.bus.own_db() as db:
        refusals = db.rows(REFUSALS, (run.id,))
    if not refusals:
        return done
    content = refused_csv(reader.titles, rows, refusals).encode()
    digest = hashlib.sha256(content).hexdigest()
    parts = [content[at : at + FILE_PART_BYTES] for at in range(0, len(content), FILE_PART_BYTES)]
    ids = []
    for number, part in enumerate(parts):
        keep = KeepRefusedRows(
            import_id=run.id, division=record.division, part=number, parts=len(parts), digest=digest, content=part
        )
        reply = run.bus.system(keep, f"refused:{run.id}:{number}")
        ids.append(msgspec.json.decode(reply, type=Done).id)
    return replace(done, refused_ids=tuple(ids), refused_size=len(content), refused_digest=digest)


def _finish(run: Run, command: FinishImport) -> None:
    run.bus.system(command, f"finish:{run.id}")
