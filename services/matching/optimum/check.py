"""Adds a certificate up over all pairs: plain numpy through the table's own rules and terms, no index, no solver.

Every worker × every request of the same field is looked at; those beyond the request's limit in distance are left
first, and each further rule is asked of who is left. Requests that are one and the same, with one surplus, are looked at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.matching.optimum.certificate import Certificate
from services.matching.optimum.problem import NONE, Problem
from services.matching.ranking import TABLE_VERSION
from services.matching.ranking.arrays import Ints
from services.matching.ranking.measures import MARKS, QUERY, floor_sqrt
from services.matching.ranking.table import RULES, RUN_TERMS

OPTIMAL, BOUNDED, WRONG = "optimal_all_pairs", "bounded", "wrong"
TOGETHER = 128
"""Requests that are near each other and are looked at together."""
NEAR_M = 20_000
WORTH_SIFTING_PERCENT = 70
"""Pairs that failed a rule are left once so few are left; before that it is quicker to carry them along."""
POINTS_LIMIT = 1 << 60
"""Prices and surpluses beyond this could overflow when they are added up; no true one comes near."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What adding up came to. `status`: optimal_all_pairs, bounded (`gap` points are open) or wrong.

    If wrong: `code` names what (digest, table, shape, negative, capacity, rule, objective, uncovered, bound, status),
    with the request and worker and, of an assigned pair, the code of the first rule that fails.
    """

    status: str
    objective: int = 0
    bound: int = 0
    served: int = 0
    pairs: int = 0
    code: str = ""
    request_id: str = ""
    worker_id: str = ""
    rule: str = ""

    @property
    def gap(self) -> int:
        """Points by which another assignment could be better at the most."""
        return self.bound - self.objective


class Facts(Mapping[str, Any]):
    """The facts of many pairs (`r[i]`, `w[i]`) by name, each worked out when a rule or a term first asks for it."""

    def __init__(self, problem: Problem, r: Ints, w: Ints) -> None:
        self.problem, self.r, self.w = problem, r, w
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._of(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _of(self, name: str) -> Any:
        problem, r, w = self.problem, self.r, self.w
        if name in (QUERY.names or ()):
            return problem.demand[name][r]
        if name == "proficiency":
            return problem.workers.proficiency[w, problem.demand["field_wanted"][r]].astype(np.int64)
        if name == "distance_m":
            east, north = self["x"] - self["x_wanted"], self["y"] - self["y_wanted"]
            return floor_sqrt(east * east + north * north)
        if name == "overlap_slots":
            return np.bitwise_count(self["slots"] & self["slots_wanted"]).astype(np.int64)
        if name == "inside":
            area, lines = problem.workers.rows["area"][w], problem.lines
            return sum((lines[:, depth][r] == area for depth in range(lines.shape[1])), np.zeros(len(r), np.int64))
        if name in MARKS:
            return (self["mark"] & MARKS[name]) // MARKS[name]
        if name == "mark":
            return _marks(problem, r, w)
        return problem.workers.rows[name][w].astype(np.int64)


def _marks(problem: Problem, r: Ints, w: Ints) -> Ints:
    """The mark of each pair, 0 where it is not named; the pairs ascend by (request, worker)."""
    asked = np.zeros(len(problem), bool)
    asked[r] = True
    named = problem.named[asked[problem.named["request"]]]
    keys, wanted = r << 32 | w, named["request"].astype(np.int64) << 32 | named["worker"]
    at = np.searchsorted(keys, wanted)
    held = np.flatnonzero(np.append(keys, NONE)[at] == wanted)
    marks = np.zeros(len(r), np.int64)
    marks[at[held]] = named["mark"][held]
    return marks


def worth(problem: Problem, r: Ints, w: Ints) -> tuple[Ints, Ints, Ints]:
    """The pairs that pass every rule, of pairs that ascend by (request, worker); each is worth serving and every term."""
    facts, passed = Facts(problem, r, w), np.ones(len(r), bool)
    for rule in RULES:
        passed &= rule.of(facts)
        if 100 * np.count_nonzero(passed) < WORTH_SIFTING_PERCENT * len(r) or rule is RULES[-1]:
            r, w = r[passed], w[passed]
            facts, passed = Facts(problem, r, w), np.ones(len(r), bool)
    value = problem.serving[r].copy()
    for term in RUN_TERMS:
        value += term.of(facts)
    return r, w, value


def near_pairs(problem: Problem) -> Iterator[tuple[Ints, Ints]]:
    """Every pair of the same field that is not further apart than the request's limit, in blocks of near requests."""
    demand, rows = problem.demand, problem.workers.rows
    x, y = rows["x"].astype(np.int64), rows["y"].astype(np.int64)
    order = np.lexsort((demand["x_wanted"], demand["y_wanted"] // NEAR_M, demand["field_wanted"]))
    for field in np.unique(demand["field_wanted"]).tolist():
        asking = order[demand["field_wanted"][order] == field]
        serving = np.flatnonzero(problem.workers.proficiency[:, field] > 0)
        for begin in range(0, len(asking), TOGETHER):
            r = np.sort(asking[begin : begin + TOGETHER])
            reach, east, north = demand["limit_m"][r], demand["x_wanted"][r], demand["y_wanted"][r]
            w = serving[(x[serving] >= (east - reach).min()) & (x[serving] <= (east + reach).max())]
            w = w[(y[w] >= (north - reach).min()) & (y[w] <= (north + reach).max())]
            square = (east[:, None] - x[w]) ** 2 + (north[:, None] - y[w]) ** 2
            i, j = np.nonzero(square < (reach[:, None] + 1) ** 2)
            yield r[i], w[j]


def check(problem: Problem, certificate: Certificate) -> Verdict:
    """Recomputes all that a certificate says: whether it is a proof, how far from one, or the first thing wrong."""
    wrong = _numbers(problem, certificate) or _assignment(problem, certificate)
    if wrong:
        return wrong
    surplus, prices, pairs = certificate.surplus, certificate.prices, 0
    kinds = problem.kinds(surplus)
    part, left = problem.part(kinds.first), surplus[kinds.first]
    for block in near_pairs(part):
        r, w, value = worth(part, *block)
        pairs += int(kinds.many[r].sum())
        open_pairs = np.flatnonzero(value > left[r] + prices[w])
        if len(open_pairs):
            first = open_pairs[0]
            return _wrong(part, "uncovered", int(r[first]), int(w[first]))
    start, cost = problem.places
    above = np.maximum(np.repeat(prices, np.diff(start)) - cost, 0)
    bound = int(surplus.sum()) + int(above.sum())
    status = OPTIMAL if bound == certificate.objective else BOUNDED
    for code, said, found in (("bound", certificate.bound, bound), ("status", certificate.status, status)):
        if said != found:
            return Verdict(WRONG, objective=certificate.objective, bound=bound, code=code)
    served = int((certificate.assigned != NONE).sum())
    return Verdict(status, certificate.objective, bound, served, pairs)


def _numbers(problem: Problem, certificate: Certificate) -> Verdict | None:
    """What is wrong before any pair is looked at."""
    many, workers = len(problem), len(problem.workers)
    assigned, prices, surplus = certificate.assigned, certificate.prices, certificate.surplus
    if certificate.inputs != problem.digest:
        return Verdict(WRONG, code="digest")
    if certificate.table_version != TABLE_VERSION:
        return Verdict(WRONG, code="table")
    if (len(assigned), len(prices), len(surplus)) != (many, workers, many) or not (
        ((assigned >= NONE) & (assigned < workers)).all()
    ):
        return Verdict(WRONG, code="shape")
    for request, numbers in ((True, surplus), (False, prices)):
        bad = np.flatnonzero((numbers < 0) | (numbers > POINTS_LIMIT // max(1, many, int(problem.free.sum()))))
        if len(bad):
            return _wrong(problem, "negative", *((int(bad[0]), NONE) if request else (NONE, int(bad[0]))))
    return None


def _assignment(problem: Problem, certificate: Certificate) -> Verdict | None:
    """What is wrong with the pairs in use: one that fails a rule, a worker with too many, another sum."""
    r = np.flatnonzero(certificate.assigned != NONE)
    w = certificate.assigned[r]
    facts = Facts(problem, r, w)
    for rule in RULES:
        bad = np.flatnonzero(~np.broadcast_to(rule.of(facts), r.shape))
        if len(bad):
            return _wrong(problem, "rule", int(r[bad[0]]), int(w[bad[0]]), rule.code)
    taken = np.bincount(w, minlength=len(problem.workers))
    over = np.flatnonzero(taken > problem.free)
    if len(over):
        return _wrong(problem, "capacity", NONE, int(over[0]))
    objective = int(worth(problem, r, w)[2].sum()) - problem.paid(taken)
    return None if objective == certificate.objective else Verdict(WRONG, objective=objective, code="objective")


def _wrong(problem: Problem, code: str, r: int, w: int, rule: str = "") -> Verdict:
    """A verdict on one request, one worker, or a pair."""
    request = problem.request_ids[r] if r != NONE else ""
    worker = problem.workers.ids[w] if w != NONE else ""
    return Verdict(WRONG, code=code, request_id=request, worker_id=worker, rule=rule)
