"""Facts that rules of matching ask for: who is on duty above a place, and who ranks best for a request."""

from __future__ import annotations

from collections.abc import Sequence

from banyan.contracts.matching import ProposeWorkers, StartRun, TakeRequest
from banyan.contracts.matching_shapes import Ranked
from banyan.kernel.context import Context
from banyan.kernel.divisions import prefix
from banyan.kernel.message import Command
from banyan.runtime.commands.store import Db, fact
from services.matching.domain import pairing
from services.matching.domain.holding import OnDuty, ladder
from services.matching.domain.request import Request
from services.matching.domain.roster import Roster
from services.matching.domain.run import Run
from services.matching.domain.worker import Worker
from services.matching.index_state import index_of

BY_NAME = "id = any(%(names)s) or person_id = any(%(names)s) or account = any(%(names)s)"

ONE_STARTS = "select pg_advisory_xact_lock(hashtext('banyan matching run'))"
UNENDED_RUNS = "state in ('computing', 'computed', 'confirmed') order by id"


@fact("on_duty")
def on_duty(db: Db, commands: Sequence[Command], context: Context) -> list[OnDuty]:
    """The rosters on the ladder above each place, nearest tier first."""
    return [_on_duty(db, _place(db, command), context) for command in commands]


def _place(db: Db, command: Command) -> str:
    if isinstance(command, TakeRequest):
        return command.division
    id = getattr(command, "request_id", "")
    return str(db.rows("select division from request where id = %(id)s", {"id": id})[0][0])


def _on_duty(db: Db, place: str, context: Context) -> OnDuty:
    tiers = ladder(place, context)
    rosters = {r.division: r for r in db.records(Roster, "division = any(%(tiers)s)", {"tiers": list(tiers)})}
    return [(tier, rosters[tier].on_duty(context.today)) for tier in tiers if tier in rosters]


@fact("runs_beside")
def runs_beside(db: Db, commands: Sequence[StartRun], context: Context) -> list[list[Run]]:
    """Runs that have not ended over any part of each place; two that start at once wait for each other."""
    db.run(ONE_STARTS, {})
    runs = db.records(Run, UNENDED_RUNS)
    return [[run for run in runs if _overlap(run.division, command.division)] for command in commands]


def _overlap(one: str, other: str) -> bool:
    a, b = prefix(one), prefix(other)
    return a.startswith(b) or b.startswith(a)


@fact("ranked")
def ranked(db: Db, commands: Sequence[ProposeWorkers], context: Context) -> list[Sequence[Ranked]]:
    """The best workers for each request, by the index, every hard rule asked again on the workers' own rows."""
    answers: list[Sequence[Ranked]] = []
    for command in commands:
        request = db.record(Request, command.request_id)
        answers.append(best(db, request, context, command.k) if request else ())
    return answers


def best(db: Db, request: Request, context: Context, k: int | None = None) -> tuple[Ranked, ...]:
    """The best k workers with every term, best first, ties by id. A protected request: of its named receivers only."""
    k = k or context.figure("candidates_most", division=request.division)
    if request.protected:
        named = db.records(Worker, BY_NAME, {"names": list(request.receivers)})
        return _explained(named, request, context)[:k]
    row = pairing.request_row(request, context, pairing.place_of(request))
    figures, ask = pairing.figures(context, request.division), k
    while True:
        found = index_of(db).rank(db, context, row, figures, ask)
        workers = db.records(Worker, "id = any(%(ids)s)", {"ids": [r.worker_id for r in found]})
        fit = _explained(workers, request, context)
        if len(fit) >= k or len(found) < ask:
            return fit[:k]
        ask *= 2


def _explained(workers: Sequence[Worker], request: Request, context: Context) -> tuple[Ranked, ...]:
    fit = [worker for worker in workers if not pairing.broken(worker, request, context)]
    explained = [pairing.explain(worker, request, context) for worker in fit]
    explained.sort(key=lambda each: (-each.score, each.worker_id))
    return tuple(pairing.as_ranked(each, rank) for rank, each in enumerate(explained, 1))
