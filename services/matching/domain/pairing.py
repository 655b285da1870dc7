"""One worker and one request as the table of rules and terms reads them: codes are bits, places metres, levels ranks.

Ranking reads the same table in memory; here it is asked again under the lock, in plain whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import Any

from banyan.contracts.matching_shapes import Broken, Point, Ranked, Term
from banyan.kernel.codes import CODES
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from services.matching.domain.holding import ladder
from services.matching.domain.place import reckoned
from services.matching.domain.request import Need, Request
from services.matching.domain.worker import WORKER, Worker
from services.matching.ranking import arrays
from services.matching.ranking.figures import FUJIAN, Figures
from services.matching.ranking.measures import pair_facts
from services.matching.ranking.table import TABLE_VERSION, TERMS, Explanation, explain_pair, passes

FIELDS = tuple(CODES["field"])
LIMITS_OF = itemgetter(*FIELDS)
LEVELS = ("none", "assistant", "intermediate", "senior")
FEMALE, MALE = 1, 2
SEX_RANKED = {"1": MALE, "2": FEMALE}  # GB/T 2261.1 → the table's own
POINTS = (
    "proficiency_1_points", "proficiency_2_points", "proficiency_3_points", "nearest_points", "all_free_points",
    "earlier_points", "asked_language_points", "exact_level_points", "slot_points", "slots_most_points",
    "offered_points", "far_urgency", "far_times_percent",
)  # fmt: skip


def figures(context: Context, division: str | None) -> Figures:
    """The figures of the score in force today in a division."""
    limits = context.figure("field_limit_m", division=division)
    values = tuple(context.figure(name, division=division) for name in POINTS)
    return _figures(values, LIMITS_OF(limits))


@lru_cache(maxsize=256)
def _figures(values: tuple[int, ...], limits_m: tuple[int, ...]) -> Figures:
    return Figures(limits_m=limits_m, **dict(zip(POINTS, values, strict=True)))


def available(worker: Worker, on: date) -> bool:
    """Whether a worker can be asked at all on a day: on call, and within the assignment's days."""
    supply = worker.supply
    return worker.state == WORKER.initial and supply.since <= on and (supply.until is None or on <= supply.until)


def bits(kind: str, codes: Iterable[str]) -> int:
    """A set of codes as bits, in the order of their table; refuses `unknown_code`."""
    return _bits(kind, tuple(codes))


@lru_cache(maxsize=1 << 12)
def _bits(kind: str, codes: tuple[str, ...]) -> int:
    order = tuple(CODES[kind])
    return sum(1 << order.index(CODES[kind].require(code)) for code in set(codes))


def slot_bits(slots: Iterable[int]) -> int:
    """A set of slots (0-20: three parts of each day from Monday morning) as bits."""
    return sum(1 << slot for slot in set(slots))


def worker_row(worker: Worker) -> arrays.Worker:
    """A worker as the table reads one; state and days are judged apart."""
    supply = worker.supply
    x, y = FUJIAN.metres(supply.lon_udeg, supply.lat_udeg)
    return arrays.Worker(
        id=worker.id,
        x=x,
        y=y,
        area=int(supply.area),
        capacity=supply.weekly_capacity,
        load=worker.load,
        proficiency=tuple(supply.fields.get(code, 0) for code in FIELDS),
        level=LEVELS.index(supply.level),
        registered=int(supply.registered),
        sex=SEX_RANKED.get(supply.sex, 0),
        languages=bits("language", supply.languages),
        slots=slot_bits(supply.slots),
        cross_area=int(supply.cross_area),
    )


def request_row(request: Need, context: Context, point: Point) -> arrays.Request:
    """A request as the table reads one, at a point in GCJ-02."""
    x, y = FUJIAN.metres(point.lon_udeg, point.lat_udeg)
    needed = context.figure("registration_needed", division=request.division)
    line = (request.division, *ladder(request.division, context))
    return arrays.Request(
        field=FIELDS.index(request.field),
        x=x,
        y=y,
        line=tuple(int(code) for code in dict.fromkeys(line)),
        urgency=request.urgency,
        registration_needed=int(request.field in needed),
        languages_needed=bits("language", request.languages),
        languages_wished=bits("language", request.languages_wished),
        sex_wanted=SEX_RANKED.get(request.sex_wanted or "", 0),
        min_level=LEVELS.index(request.level_wanted or "none"),
        slots_wanted=slot_bits(request.slots),
        cross_area_allowed=int(request.urgency >= context.figure("cross_area_urgency", division=request.division)),
        conflicts=request.excluded_workers,
        excluded=request.asked,
        earlier=request.earlier_workers,
    )


def place_of(request: Need) -> Point:
    """Where distances are reckoned from; refuses `place_unknown` where neither a point nor a centre is known."""
    point = reckoned(request.point, request.division)
    if point is None:
        raise Refused("place_unknown", division=request.division)
    return point


def explain(worker: Worker, request: Request, context: Context) -> Explanation:
    """Every rule and term of the pair, in plain whole numbers."""
    asking = Asking.of(request, context)
    return explain_pair(worker_row(worker), asking.row, asking.figures)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request as the table reads it, to be asked of several workers."""

    row: arrays.Request
    figures: Figures

    @classmethod
    def of(cls, request: Need, context: Context) -> Asking:
        """At its place, under the figures of its division."""
        return cls(request_row(request, context, place_of(request)), figures(context, request.division))

    def fits(self, worker: Worker) -> bool:
        """Whether every rule of the table holds for a worker as they are."""
        return passes(self._facts(worker))

    def ranked(self, worker: Worker, rank: int) -> Ranked:
        """The worker in a place of a ranking with every term, as they are."""
        facts = self._facts(worker)
        terms = tuple(
            Term(name=t.code, title=t.title, points=t.of(facts), facts={name: facts[name] for name in t.facts})
            for t in TERMS
        )
        return Ranked(worker_id=worker.id, rank=rank, score=sum(term.points for term in terms), terms=terms)

    def _facts(self, worker: Worker) -> dict[str, int]:
        return pair_facts(worker_row(worker), self.row, self.figures)


def broken(worker: Worker, request: Request, context: Context) -> tuple[Broken, ...]:
    """The hard rules that do not hold: those of the table, and those of days and names that no number says."""
    judged = explain(worker, request, context)
    return (*of_days_and_names(worker, request, context), *(as_broken(rule) for rule in judged.failed))


def of_days_and_names(worker: Worker, request: Request, context: Context) -> Iterator[Broken]:
    """The hard rules of days and names: on call, within assignment and registration, named, no conflict."""
    supply = worker.supply
    if worker.state != WORKER.initial:
        yield Broken(rule="on_call", facts={"state": worker.state})
    if context.today < supply.since or (supply.until and context.today > supply.until):
        yield Broken(rule="assignment_days", facts={"since": str(supply.since), "until": str(supply.until)})
    needed = request.field in context.figure("registration_needed", division=request.division)
    if needed and supply.registration_until and supply.registration_until < context.today:
        yield Broken(rule="registration_days", facts={"until": str(supply.registration_until)})
    if request.protected and not worker.names & set(request.receivers):
        yield Broken(rule="named_receiver", facts={})
    if worker.names & set(request.excluded_workers):
        yield Broken(rule="no_conflict", facts={})


def require_fit(worker: Worker | None, request: Request, context: Context) -> Worker:
    """The worker, if every hard rule holds now, under the lock. Refuses `worker_unfit` with the rules that do not."""
    if worker is None:
        raise Refused("not_found", what="worker")
    failed = broken(worker, request, context)
    if failed:
        raise Refused("worker_unfit", worker_id=worker.id, rules=sorted({rule.rule for rule in failed}))
    return worker


def as_broken(rule: Any) -> Broken:
    """A rule of the table that failed, as a contract's shape."""
    return Broken(rule=rule.code, title=rule.title, facts=dict(rule.facts))


def as_ranked(explained: Explanation, rank: int) -> Ranked:
    """A place in a ranking, as a contract's shape."""
    terms = tuple(Term(name=t.code, title=t.title, points=t.points, facts=dict(t.facts)) for t in explained.terms)
    return Ranked(worker_id=explained.worker_id, rank=rank, score=explained.score, terms=terms)


def table_version() -> str:
    """Which table a decision was made by, short."""
    return TABLE_VERSION[:12]
