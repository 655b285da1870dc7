"""The state that a run is computed for: open requests of a division and all workers who can be asked, as a problem.

Requests and workers stand in the order of their ids under names of the run's own (r1, w1): the files tell nobody's id.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from banyan.kernel.context import SHANGHAI, Context
from banyan.kernel.divisions import prefix
from banyan.runtime.commands.store import Db
from services.matching.domain import pairing
from services.matching.domain.place import reckoned
from services.matching.domain.request import OPEN, Need
from services.matching.domain.run import Run
from services.matching.domain.run_options import options
from services.matching.domain.taking import CRISIS
from services.matching.domain.worker import Worker
from services.matching.optimum.problem import NAMED, SERVING, Band, Problem, serving_of
from services.matching.ranking import TABLE_VERSION
from services.matching.ranking.arrays import LINE_LENGTH, Workers
from services.matching.ranking.measures import CONFLICT, EARLIER, EXCLUDED, OFFERED, QUERY, figure_facts, query_values

REQUESTS = "state = any(%(states)s) and division like any(%(prefixes)s) order by id"
COUNTY_DIGITS = 6
DISPATCHED = "dispatched"
WORKERS = "state = 'on_call' order by id"


class Names(msgspec.Struct, frozen=True):
    """What stands behind a problem's positions, and what its figures are told by. `state` changes with any of it."""

    state: str
    left_out: int
    request_ids: tuple[str, ...]
    worker_ids: tuple[str, ...]
    urgency: tuple[int, ...]
    waited_days: tuple[int, ...]
    counties: tuple[str, ...]
    groups: tuple[str, ...]
    policy: str
    table: str = ""  # of rules and terms: what was kept under another is not read any more
    floor_percent: int = 0
    offered_to: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """A problem with the names behind it."""

    problem: Problem
    names: Names


def snapshot(db: Db, run: Run) -> Snapshot:
    """All that a run counts, as it stands in this transaction. Crises, protected requests and places unknown stay out.

    Where the run may move offers out, they are open again: their requests count, and their places are free.
    """
    context, division = db.context, run.division
    found = _open_requests(db, division, (*OPEN, DISPATCHED) if run.movable else OPEN)
    requests = [r for r in found if not r.protected and r.urgency < CRISIS and reckoned(r.point, r.division)]
    workers = [w for w in db.each(Worker, WORKERS) if pairing.available(w, context.today)]
    offered_to = tuple(r.offer.worker_id if r.offer else None for r in requests)
    waited = tuple(max(0, (context.today - r.taken_at.astimezone(SHANGHAI).date()).days) for r in requests)
    bands, floor = options(context, division)
    problem = Problem(
        workers=_workers(workers, Counter(offered_to), context),
        request_ids=[f"r{n}" for n in range(1, len(requests) + 1)],
        **_needs(requests, context),
        serving=_serving(requests, waited, context),
        named=_named(requests, workers),
        bands=tuple(Band(*band) for band in bands),
    )
    ids = (tuple(r.id for r in requests), tuple(w.id for w in workers))
    stands = "\n".join((problem.digest, str(floor), *map(str, offered_to), *ids[0], *ids[1]))
    names = Names(
        state=hashlib.sha256(stands.encode()).hexdigest(),
        left_out=len(found) - len(requests),
        request_ids=ids[0],
        worker_ids=ids[1],
        urgency=tuple(r.urgency for r in requests),
        waited_days=waited,
        counties=tuple(f"{r.division[:COUNTY_DIGITS]:0<12}" for r in requests),
        groups=tuple(r.client_group for r in requests),
        policy=context.policy.version,
        table=TABLE_VERSION,
        floor_percent=floor,
        offered_to=offered_to,
    )
    return Snapshot(problem, names)


def _open_requests(db: Db, division: str, states: Sequence[str]) -> list[Need]:
    """Requests of a division in these states, and of what reports to it; not of what lies in it and reports elsewhere."""
    tree, today = db.context.divisions, db.context.today
    codes = [division, *(code for code, _ in tree.reporting(today))] if tree else [division]
    asked = {"states": list(states), "prefixes": [f"{prefix(code)}%" for code in codes]}
    found = db.each(Need, REQUESTS, asked)
    return [r for r in found if tree is None or tree.within(division, r.division, today)]


def _workers(workers: Sequence[Worker], movable: Mapping[str | None, int], context: Context) -> Workers:
    rows = (_row(w, n, movable.get(w.id, 0), context) for n, w in enumerate(workers, 1))
    return Workers.of(rows, len(pairing.FIELDS))


def _row(worker: Worker, number: int, movable: int, context: Context) -> pairing.arrays.Worker:
    """The worker as the table reads one, without offers that may move; a registration that has run out is none."""
    row, until = pairing.worker_row(worker), worker.supply.registration_until
    registered = row.registered and (until is None or until >= context.today)
    return dataclasses.replace(row, id=f"w{number}", registered=int(registered), load=row.load - movable)


def _needs(requests: Sequence[Need], context: Context) -> dict[str, NDArray[np.void]]:
    demand, lines = np.zeros(len(requests), QUERY), np.zeros((len(requests), LINE_LENGTH), np.int64)
    for n, request in enumerate(requests):
        row = pairing.request_row(request, context, pairing.place_of(request))
        figures = pairing.figures(context, request.division)
        demand[n] = (*query_values(row, figures), *figure_facts(figures).values())
        lines[n, : len(row.line)] = row.line
    return {"demand": demand, "lines": lines}


def _serving(requests: Sequence[Need], waited: Sequence[int], context: Context) -> NDArray[np.int64]:
    """What serving each request is worth by the figures of its division."""
    figures = [[context.figure(name, division=r.division) for name in SERVING] for r in requests]
    urgency = np.array([r.urgency for r in requests], np.int64)
    return serving_of(urgency, np.array(waited, np.int64), np.array(figures, np.int64).reshape(-1, len(SERVING)))


def _named(requests: Sequence[Need], workers: Sequence[Worker]) -> NDArray[np.void]:
    """The marks of workers whom requests name; a conflict may name the person or the account as well."""
    by_name: dict[str, list[int]] = {}
    for slot, worker in enumerate(workers):
        for name in worker.names:
            by_name.setdefault(name, []).append(slot)
    slots = {worker.id: [slot] for slot, worker in enumerate(workers)}
    marks: dict[tuple[int, int], int] = {}
    for n, request in enumerate(requests):
        for slot, mark in _marks(request, by_name, slots):
            marks[n, slot] = marks.get((n, slot), 0) | mark
    return np.array([(*pair, marks[pair]) for pair in sorted(marks)], NAMED)


def _marks(request: Need, by_name: dict[str, list[int]], by_id: dict[str, list[int]]) -> Iterator[tuple[int, int]]:
    out = {request.offer.worker_id} if request.offer else set()
    lists = (
        (request.excluded_workers, by_name, CONFLICT),
        (set(request.asked) - out, by_id, EXCLUDED),
        (request.earlier_workers, by_id, EARLIER),
        (out, by_id, OFFERED),
    )
    for names, known, mark in lists:
        for name in names:
            for slot in known.get(name, ()):
                yield slot, mark
