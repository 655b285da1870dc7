"""Questions about matching runs: how far they are, what they came to, their files, and why this worker and not that."""

from __future__ import annotations

import numpy as np

from banyan.contracts import matching as m
from banyan.contracts.frame import FilePart
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.matching import run_files, sight
from services.matching.domain import pairing
from services.matching.domain.run import Run
from services.matching.optimum.certificate import CERTIFICATE, INPUTS
from services.matching.optimum.check import worth
from services.matching.optimum.explain import explain
from services.matching.optimum.problem import NONE, Problem

VERSION = "select version from run where id = %(id)s"
PROGRESS = "select done, total, trouble from job where id like %(id)s order by id desc limit 1"


def _view(db: Db, run: Run) -> m.RunView:
    version = db.rows(VERSION, {"id": run.id})[0][0]
    progress = db.rows(PROGRESS, {"id": f"{run.id}%"})
    done, total, trouble = progress[0] if progress else (0, None, None)
    return m.RunView(
        id=run.id,
        version=version,
        division=run.division,
        state=run.state,
        started_by=run.started_by,
        started_at=run.started_at,
        reason=run.reason,
        deadline_s=run.deadline_s,
        apply_at_once=run.apply_at_once,
        movable=run.movable,
        done=done,
        total=total,
        trouble=trouble,
        ended_by=run.ended_by,
        ended_reason=run.ended_reason,
        summary=run.summary,
    )


@answers(m.GetRun)
def get_run(query: m.GetRun, context: Context, db: Db) -> m.RunView:
    """A run within the caller's reach."""
    return _view(db, db.require(Run, query.run_id))


@answers(m.FindRuns)
def find_runs(query: m.FindRuns, context: Context, db: Db) -> m.RunViews:
    """Runs within the caller's reach, newest first: their ids follow the order in which they were started."""
    where = f"{db.jurisdiction()} and id < %(before)s order by id desc limit {query.limit + 1}"
    found = db.records(Run, where, {"before": query.after or "~"})
    page = found[: query.limit]
    items = tuple(_view(db, run) for run in page)
    return m.RunViews(items=items, next=page[-1].id if len(found) > query.limit else None)


@answers(m.ReadRunInputs)
def read_run_inputs(query: m.ReadRunInputs, context: Context, db: Db) -> FilePart:
    """One part of what a run was computed from."""
    return run_files.part(db, db.require(Run, query.run_id).id, INPUTS, query.part)


@answers(m.ReadRunCertificate)
def read_run_certificate(query: m.ReadRunCertificate, context: Context, db: Db) -> FilePart:
    """One part of a run's certificate."""
    return run_files.part(db, db.require(Run, query.run_id).id, CERTIFICATE, query.part)


@answers(m.ExplainRun)
def explain_run(query: m.ExplainRun, context: Context, db: Db) -> m.RunDecision:
    """Why a request was given this worker or nobody, and of a worker asked after why not, as the run counted."""
    run, request = db.require(Run, query.run_id), sight.known_request(db, query.request_id, context)
    names = run_files.names_of(db, run.id)
    if names is None:
        raise Refused("file_none", run_id=run.id)
    problem, proof = run_files.proof_of(db, run.id)
    r = _place(names.request_ids, request.id)
    chosen = int(proof.assigned[r])
    asked = _place(names.worker_ids, query.worker_id) if query.worker_id else NONE
    prices = proof.prices
    return m.RunDecision(
        request_id=request.id,
        serving=int(problem.serving[r]),
        surplus=int(proof.surplus[r]),
        able=len(worth(problem, np.full(len(problem.workers), r), np.arange(len(problem.workers)))[0]),
        chosen=None if chosen == NONE else _choice(problem, r, chosen, names.worker_ids[chosen], int(prices[chosen])),
        asked=None if asked == NONE else _choice(problem, r, asked, names.worker_ids[asked], int(prices[asked])),
    )


def _place(ids: tuple[str, ...], id: str) -> int:
    """Where an id stands in a run; refuses `not_in_run` for what is no part of it, be it that there is none of that id."""
    if id not in ids:
        raise Refused("not_in_run", id=id)
    return ids.index(id)


def _choice(problem: Problem, r: int, w: int, worker_id: str, price: int) -> m.RunChoice:
    judged = explain(problem, r, w)
    broken = tuple(pairing.as_broken(rule) for rule in judged.failed)
    scored = pairing.as_ranked(judged, 0)
    return m.RunChoice(
        worker_id=worker_id,
        price=price,
        score=0 if broken else scored.score,
        terms=() if broken else scored.terms,
        broken=broken,
        gain=None if broken else int(problem.serving[r]) + scored.score - price,
    )
