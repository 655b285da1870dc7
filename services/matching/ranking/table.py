"""The table: every hard rule and every soft term of a pair, in order: its code, its 中文 title, its one formula.

Ranking, explanation and why-not read this table and nothing else. A new rule is one entry here, its formula in
`formulas.py`, and its line in the kernel (`fused.py`); a test fails while any of the three forms disagrees.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as listed
from typing import Any

from services.matching.ranking import formulas
from services.matching.ranking.arrays import Request, Worker
from services.matching.ranking.figures import Figures
from services.matching.ranking.measures import FIGURE_NAMES, WORKER_NAMES, distance_m, overlap_slots, pair_facts

Formula = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table; `facts` are the names its formula asks for."""

    code: str
    title: str
    formula: Formula
    facts: tuple[str, ...] = listed(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", tuple(inspect.signature(self.formula).parameters))

    def of(self, facts: Mapping[str, Any]) -> Any:
        """The formula's answer on facts, scalars or arrays."""
        return self.formula(*[facts[name] for name in self.facts])


class Rule(Entry):
    """Hard: a pair that fails one is not offered."""


class Term(Entry):
    """Soft: whole points that add up to the score."""


RULES: tuple[Rule, ...] = (
    Rule("registration", "该服务须由已注册的社工承担", formulas.registration),
    Rule("field", "具备所需服务领域的能力", formulas.field),
    Rule("free_capacity", "本周尚有可接案名额", formulas.free_capacity),
    Rule("no_conflict", "与服务对象无利益冲突", formulas.no_conflict),
    Rule("not_excluded", "未曾退回此案，也未被排除", formulas.not_excluded),
    Rule("language", "会说所需的语言或方言", formulas.language),
    Rule("sex", "符合对社工性别的要求", formulas.sex),
    Rule("level", "达到所需的社工等级", formulas.level),
    Rule("times", "与所提时间有共同的空闲时段", formulas.times),
    Rule("distance", "在该领域的服务距离之内", formulas.distance),
    Rule("jurisdiction", "服务区域覆盖所在地，或允许跨区支援", formulas.jurisdiction),
)

TERMS: tuple[Term, ...] = (
    Term("proficiency", "领域熟练程度", formulas.proficiency_points),
    Term("distance", "距离远近", formulas.distance_points),
    Term("capacity", "空余名额比例", formulas.capacity_points),
    Term("continuity", "曾经服务过，延续关系", formulas.continuity_points),
    Term("language", "会说所希望的语言或方言", formulas.language_points),
    Term("level", "等级恰好相符", formulas.level_points),
    Term("availability", "共同空闲时段", formulas.availability_points),
)

OF_RUN: tuple[Term, ...] = (Term("offered", "已派给此人，尚未答复", formulas.offered_points),)
"""Terms that only a matching run knows, on top of the others: online nobody is ranked for a request that is offered."""
RUN_TERMS = TERMS + OF_RUN

OF_WORKER = tuple(term for term in TERMS if {*term.facts} <= {*WORKER_NAMES, *FIGURE_NAMES})
"""Terms that say nothing of the request: a posting's own points, kept with it, so that it can be passed over by a bound."""


def _version() -> str:
    """A digest of all codes and formulas in order: two tables that could score a pair differently never share one."""
    parts = [repr((type(entry).__name__, entry.code, inspect.getsource(entry.formula))) for entry in RULES + RUN_TERMS]
    parts += [inspect.getsource(measure) for measure in (distance_m, overlap_slots, pair_facts, Figures.limit_m)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


TABLE_VERSION = _version()


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule on one pair, with the facts it was judged by."""

    code: str
    title: str
    passed: bool
    facts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scored:
    """One term on one pair: its points and the facts they come from."""

    code: str
    title: str
    points: int
    facts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of one pair. `score` is the sum of the terms; it counts in a ranking only if every rule passed."""

    worker_id: str
    rules: tuple[Judged, ...]
    terms: tuple[Scored, ...]
    score: int
    table_version: str

    @property
    def feasible(self) -> bool:
        """Whether every rule passed."""
        return all(rule.passed for rule in self.rules)

    @property
    def failed(self) -> tuple[Judged, ...]:
        """The rules that did not pass, in the table's order."""
        return tuple(rule for rule in self.rules if not rule.passed)


def explain_pair(worker: Worker, request: Request, figures: Figures) -> Explanation:
    """Judges and scores one pair in plain ints: the reference, and what people are shown."""
    facts = pair_facts(worker, request, figures)
    rules = tuple(Judged(e.code, e.title, bool(e.of(facts)), {name: facts[name] for name in e.facts}) for e in RULES)
    terms = tuple(Scored(e.code, e.title, int(e.of(facts)), {name: facts[name] for name in e.facts}) for e in TERMS)
    return Explanation(worker.id, rules, terms, sum(term.points for term in terms), TABLE_VERSION)


def passes(facts: Mapping[str, int]) -> bool:
    """Whether every rule holds by a pair's facts: the answer alone."""
    return all(rule.of(facts) for rule in RULES)
