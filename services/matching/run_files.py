"""What is kept of a run beside its record: names behind its positions, inputs and certificate as files in parts."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec

from banyan.contracts.frame import FILE_PART_BYTES, FilePart
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db
from services.matching.optimum.certificate import CERTIFICATE, INPUTS, UNREADABLE, Certificate, arrays_of
from services.matching.optimum.problem import Problem
from services.matching.snapshot import Names

MEDIA_TYPE = "application/zip"  # npz: a zip of numpy arrays
KEEP_NAMES = (
    "insert into run_names (run_id, body) values (%(id)s, %(body)s)"
    " on conflict (run_id) do update set body = excluded.body"
)
NAMES = "select body from run_names where run_id = %(id)s"
FORGET = "delete from run_file where run_id = %(id)s and name = %(name)s"
KEEP = "insert into run_file (run_id, name, size, digest) values (%(id)s, %(name)s, %(size)s, %(digest)s)"
KEEP_PART = "insert into run_file_part (run_id, name, part, content) values (%(id)s, %(name)s, %(part)s, %(content)s)"
FILE = "select size, digest from run_file where run_id = %(id)s and name = %(name)s"
PART = "select content from run_file_part where run_id = %(id)s and name = %(name)s and part = %(part)s"
PARTS = "select content from run_file_part where run_id = %(id)s and name = %(name)s order by part"


def keep_names(db: Db, run_id: str, names: Names) -> None:
    """Keeps what stands behind the positions, instead of what was kept before."""
    db.run(KEEP_NAMES, {"id": run_id, "body": msgspec.json.encode(names).decode()})


def names_of(db: Db, run_id: str) -> Names | None:
    """What stands behind the positions; None where nothing was kept, or no longer is."""
    rows = db.rows(NAMES, {"id": run_id})
    return msgspec.json.decode(rows[0][0], type=Names) if rows else None


def keep(db: Db, run_id: str, file: Path) -> str:
    """Keeps a file under its name, instead of what was kept before; answers its SHA-256."""
    content = file.read_bytes()
    key = {"id": run_id, "name": file.name}
    digest = hashlib.sha256(content).hexdigest()
    forget(db, run_id, file.name)
    db.run(KEEP, {**key, "size": len(content), "digest": digest})
    for part, start in enumerate(range(0, len(content), FILE_PART_BYTES)):
        db.run(KEEP_PART, {**key, "part": part, "content": content[start : start + FILE_PART_BYTES]})
    return digest


def forget(db: Db, run_id: str, name: str) -> None:
    """Forgets a file, if it is kept."""
    db.run(FORGET, {"id": run_id, "name": name})


def write_to(db: Db, run_id: str, name: str, file: Path) -> bool:
    """Writes a file that is kept where the path says; False, and nothing, where it is not kept."""
    whole = content(db, run_id, name)
    if whole is None:
        return False
    file.write_bytes(whole)
    return True


def digest_of(db: Db, run_id: str, name: str) -> str:
    """The SHA-256 of a file that is kept."""
    return str(db.rows(FILE, {"id": run_id, "name": name})[0][1])


def content(db: Db, run_id: str, name: str) -> bytes | None:
    """A whole file; None where it is not kept."""
    rows = db.rows(PARTS, {"id": run_id, "name": name})
    return b"".join(bytes(row[0]) for row in rows) or None


def part(db: Db, run_id: str, name: str, number: int) -> FilePart:
    """One part of a file. Refuses `file_none` and `past_the_end`."""
    rows = db.rows(FILE, {"id": run_id, "name": name})
    if not rows:
        raise Refused("file_none", run_id=run_id, file=name)
    (size, digest), found = rows[0], db.rows(PART, {"id": run_id, "name": name, "part": number})
    if not found:
        raise Refused("past_the_end", size=size, part_bytes=FILE_PART_BYTES)
    whole = {"name": f"{run_id}-{name}", "media_type": MEDIA_TYPE, "size": size, "digest": digest}
    return FilePart(part=number, content=bytes(found[0][0]), **whole)


def proof_of(db: Db, run_id: str) -> tuple[Problem, Certificate]:
    """What a run was computed from and came to. Refuses `file_none`, and `certificate_unreadable` of another table of rules."""
    digests = [db.rows(FILE, {"id": run_id, "name": name}) for name in (INPUTS, CERTIFICATE)]
    if not all(digests):
        raise Refused("file_none", run_id=run_id)
    key = (digests[0][0][1], digests[1][0][1])
    if key not in _READ:
        if len(_READ) >= READ_MOST:
            _READ.pop(next(iter(_READ)))
        _READ[key] = read_proof(db, run_id)
    return _READ[key]


def read_proof(db: Db, run_id: str) -> tuple[Problem, Certificate]:
    """The same, where both are known to be kept and nobody asks again. Refuses `certificate_unreadable`."""
    files = [content(db, run_id, name) for name in (INPUTS, CERTIFICATE)]
    try:
        inputs, proof = (arrays_of(io.BytesIO(each or b"")) for each in files)
        return Problem.of(inputs), Certificate.from_arrays(proof)
    except UNREADABLE as error:
        raise Refused("certificate_unreadable", run_id=run_id, reason=str(error)[:200]) from error


READ_MOST = 2
_READ: dict[tuple[str, str], tuple[Problem, Certificate]] = {}
"""Files that were asked about last, by their digests: reading a province's takes a second."""
