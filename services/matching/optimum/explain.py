"""One pair of a problem, rule by rule and term by term, as the run counted it."""

from __future__ import annotations

import numpy as np

from services.matching.optimum.check import Facts
from services.matching.optimum.problem import Problem
from services.matching.ranking.table import RULES, RUN_TERMS, TABLE_VERSION, Explanation, Judged, Scored


def explain(problem: Problem, r: int, w: int) -> Explanation:
    """The pair's explanation; the score is without what serving the request is worth."""
    facts = Facts(problem, np.array([r]), np.array([w]))

    def one(value: object) -> int:
        return int(np.broadcast_to(np.asarray(value), (1,))[0])

    rules = tuple(Judged(e.code, e.title, bool(one(e.of(facts))), {n: one(facts[n]) for n in e.facts}) for e in RULES)
    terms = tuple(Scored(e.code, e.title, one(e.of(facts)), {n: one(facts[n]) for n in e.facts}) for e in RUN_TERMS)
    return Explanation(problem.workers.ids[w], rules, terms, sum(term.points for term in terms), TABLE_VERSION)
