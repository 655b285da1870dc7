"""Long work of matching: a run is computed by a process of its own, and sent out in one step when it is confirmed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from banyan.contracts.matching import ApplyRun, FailRun, FinishRun, Pair, Summary
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db
from banyan.runtime.host import apart, scratch
from banyan.runtime.host.jobs import Run as Work
from banyan.runtime.host.jobs import job
from services.matching import run_files
from services.matching.domain.run import Run
from services.matching.optimum import certificate, earlier
from services.matching.optimum.problem import NONE
from services.matching.optimum.result import RESULT, Result
from services.matching.ranking import TABLE_VERSION
from services.matching.snapshot import Names, Snapshot, snapshot
from services.matching.summary import summarise

log = structlog.get_logger()
SOLVER = "services.matching.optimum"
SENDING = ":send"
EARLIER = (*earlier.FILES, earlier.SAME)
TRIES = 5
APPLY_S = 600.0
WAITING = "select id from run where state = %(state)s order by id limit 20"


def computing_runs(db: Db) -> list[str]:
    """Runs without a result, the oldest first."""
    return [id for (id,) in db.rows(WAITING, {"state": "computing"})]


def confirmed_runs(db: Db) -> list[str]:
    """Runs that are to be sent out, the oldest first; a job of their own each."""
    return [id + SENDING for (id,) in db.rows(WAITING, {"state": "confirmed"})]


@job(waiting=computing_runs)
def compute(work: Work) -> None:
    """Computes a run from the state that was kept for it; a killed one begins again from the same, unless the platform counts by
    another table since."""
    record = _record(work, work.id)
    try:
        _require_attempts_left(work, record, ended=work.attempt - 1)
        with work.bus.own_db() as db:
            names = run_files.names_of(db, record.id)
            if names is None or names.table != TABLE_VERSION:
                _keep_state(db, record, snapshot(db, record))
        if _solved(work, record):
            work.bus.system(FinishRun(run_id=record.id, summary=_found(work, record)[0]), f"finish:{record.id}")
    except Refused as refused:
        _fail(work, record, refused)


@job(waiting=confirmed_runs)
def send_out(work: Work) -> None:
    """Sends a result out in one step; where the state has moved on, it is repaired, or computed anew, for the state as it is."""
    record = _record(work, work.id.removesuffix(SENDING))
    try:
        _require_attempts_left(work, record, ended=work.attempt - 1)
        _send_out(work, record)
    except Refused as refused:
        _fail(work, record, refused)


def _require_attempts_left(work: Work, record: Run, ended: int) -> None:
    """Refuses `run_interrupted` where so many attempts were ended half-way, most likely for want of memory, that no further
    one is made: the run's place is to be free for another."""
    with work.bus.own_db() as db:
        most = db.context.figure("run_attempts_most", division=record.division)
    if ended >= most:
        raise Refused("run_interrupted", run_id=record.id, attempts=ended)


def _send_out(work: Work, record: Run) -> None:
    renewed = False
    for left in reversed(range(TRIES)):
        renewed = _kept_anew(work, record) or renewed
        try:
            if not _solved(work, record):
                return
            summary, pairs, moved = _found(work, record)
            summary = replace(summary, renewed=renewed)
            command = ApplyRun(run_id=record.id, pairs=pairs, summary=summary, moved=moved)
            key = f"apply:{record.id}:{summary.certificate_digest}"
            work.bus.system(command, key, binds=False, seconds=APPLY_S)
            return
        except Refused as refused:
            if refused.code != "run_moved_on" or not left:
                raise


def _record(work: Work, id: str) -> Run:
    with work.bus.own_db() as db:
        record = db.record(Run, id)
    assert record is not None, "a waiting run stands"
    return record


def _kept_anew(work: Work, record: Run) -> bool:
    """Whether the state has moved on; then it is kept as it is now."""
    with work.bus.own_db() as db:
        before, now = run_files.names_of(db, record.id), snapshot(db, record)
        if before is not None and before.state == now.names.state:
            return False
        _keep_state(db, record, now, before)
    return True


def _keep_state(db: Db, record: Run, taken: Snapshot, before: Names | None = None) -> None:
    """Keeps what is to be solved; what an earlier state came to is set aside, for its proof may be repaired."""
    with scratch.folder() as folder:
        proved = (
            before
            and before.table == TABLE_VERSION
            and all(run_files.write_to(db, record.id, was, folder / to) for to, was in earlier.FILES.items())
        )
        for name in EARLIER:
            run_files.forget(db, record.id, name)
        if before and proved:
            ids = ((names.request_ids, names.worker_ids) for names in (before, taken.names))
            earlier.Same.of(*ids).write(folder)
            for name in EARLIER:
                run_files.keep(db, record.id, folder / name)
        certificate.write_inputs(folder, taken.problem)
        run_files.keep(db, record.id, folder / certificate.INPUTS)
    run_files.keep_names(db, record.id, taken.names)
    for name in (certificate.CERTIFICATE, RESULT):
        run_files.forget(db, record.id, name)


def _solved(work: Work, record: Run) -> bool:
    """Whether there is a certificate for the state that is kept; False where this process is to stop or the run ended.

    Refuses `run_failed` where the solver gave up; one that was killed is tried again with the job, unless that was the last
    attempt (`run_interrupted`).
    """
    with scratch.folder() as folder:
        with work.bus.own_db() as db:
            if run_files.content(db, record.id, certificate.CERTIFICATE):
                return True
            names = run_files.names_of(db, record.id)
            for name in (certificate.INPUTS, *EARLIER):
                run_files.write_to(db, record.id, name, folder / name)
        assert names is not None, "kept with the inputs"
        if not _computed(work, record, folder, names.floor_percent):
            return False
        with work.bus.own_db() as db:
            for name in EARLIER:
                run_files.forget(db, record.id, name)
            run_files.keep(db, record.id, folder / certificate.INPUTS)  # a floor raises what serving is worth
            run_files.keep(db, record.id, folder / RESULT)
            run_files.keep(db, record.id, folder / certificate.CERTIFICATE)
    return True


def _computed(work: Work, record: Run, folder: Path, floor_percent: int) -> bool:
    progress = folder / "progress"

    def look() -> bool:
        _shown(work, progress)
        return work.stop() or _record(work, record.id).state != record.state

    with progress.open("wb") as told, tempfile.TemporaryFile() as trouble:
        asked = (str(folder), str(record.deadline_s), str(floor_percent))
        with apart.started(SOLVER, *asked, trouble=trouble, stdout=told) as solver:
            if not apart.ended(solver, look):
                return False
        said = apart.last_words(trouble)
    _shown(work, progress)
    if solver.returncode < 0:
        _require_attempts_left(work, record, ended=work.attempt)
        raise RuntimeError(f"计算进程被信号 {-solver.returncode} 终止{said and '：' + said}")
    if solver.returncode:
        raise Refused("run_failed", run_id=record.id, trouble=said)
    return True


def _shown(work: Work, progress: Path) -> None:
    """Shows how many requests have no better worker at the prices found so far."""
    lines = progress.read_text().split("\n")[:-1]
    if lines:
        better, every = (int(number) for number in lines[-1].split())
        if work.done != every - better:
            work.show(every - better, every)


def _found(work: Work, record: Run) -> tuple[Summary, tuple[Pair, ...], tuple[Pair, ...]]:
    """What is kept of a run, told in figures; its pairs under their ids, and the offers out that it takes back."""
    with work.bus.own_db() as db:
        names, result = run_files.names_of(db, record.id), run_files.content(db, record.id, RESULT)
        problem, proof = run_files.read_proof(db, record.id)
        digest = run_files.digest_of(db, record.id, certificate.CERTIFICATE)
    assert names is not None and result is not None, "kept before the certificate"
    chosen = enumerate(proof.assigned.tolist())
    pairs = tuple(Pair(request_id=names.request_ids[r], worker_id=names.worker_ids[w]) for r, w in chosen if w != NONE)
    now = {pair.request_id: pair.worker_id for pair in pairs}
    out = zip(names.request_ids, names.offered_to, strict=True) if names.offered_to else ()
    moved = tuple(Pair(request_id=r, worker_id=w) for r, w in out if w is not None and now.get(r) != w)
    summary = summarise(problem, proof, names, msgspec.json.decode(result, type=Result), digest)
    return replace(summary, moved=len(moved)), pairs, moved


def _fail(work: Work, record: Run, refused: Refused) -> None:
    log.warning("批量派单未完成", run_id=record.id, code=refused.code, facts=dict(refused.facts))
    work.bus.system(FailRun(run_id=record.id, code=refused.code), f"fail:{record.id}")
