"""What is measured of a pair before any rule is asked: distance, common slots, area, marks; scalar and vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from services.matching.ranking.arrays import Ints, Request, Rows, Worker
from services.matching.ranking.figures import Figures

CONFLICT, EXCLUDED, EARLIER, OFFERED = 1, 2, 4, 8
"""Bits of a worker's mark for the request in hand; OFFERED only in a run that may move offers out."""
MARKS = {"conflict": CONFLICT, "excluded": EXCLUDED, "earlier": EARLIER, "offered": OFFERED}
"""The bit of each fact that is a mark."""
ON_TOP = EARLIER | OFFERED
"""Marks that give points which are in no bound: such pairs are looked at apart."""

QUERY_NAMES = (
    "x_wanted", "y_wanted", "field_wanted", "registration_needed", "languages_needed", "languages_wished", "sex_wanted",
    "min_level", "slots_wanted", "cross_area_allowed", "limit_m",
)  # fmt: skip
FIGURE_NAMES = (
    "proficiency_1_points", "proficiency_2_points", "proficiency_3_points", "nearest_points", "all_free_points",
    "earlier_points", "asked_language_points", "exact_level_points", "slot_points", "slots_most_points",
    "offered_points",
)  # fmt: skip
QUERY = np.dtype([(name, "<i8") for name in QUERY_NAMES + FIGURE_NAMES])
"""One request with the figures in force, as the vector forms read it."""
WORKER_NAMES = (
    "x", "y", "capacity", "free", "languages", "slots", "level", "proficiency", "sex", "registered", "cross_area"
)  # fmt: skip


def query_values(request: Request, figures: Figures) -> tuple[int, ...]:
    """The request's part of a QUERY, in the order of QUERY_NAMES."""
    return *request.needs(), figures.limit_m(request.field, request.urgency)


def figure_facts(figures: Figures) -> dict[str, int]:
    """The figures' part of a QUERY by name, in the order of FIGURE_NAMES."""
    return {name: getattr(figures, name) for name in FIGURE_NAMES}


def distance_m(x: int, y: int, x_wanted: int, y_wanted: int) -> int:
    """Metres as the crow flies, rounded down: the exact integer square root."""
    return math.isqrt((x - x_wanted) ** 2 + (y - y_wanted) ** 2)


def overlap_slots(slots: int, slots_wanted: int) -> int:
    """How many slots both have."""
    return (slots & slots_wanted).bit_count()


def pair_facts(worker: Worker, request: Request, figures: Figures) -> dict[str, int]:
    """All facts of one pair by name, in plain ints: the reference that the vector forms must equal."""
    facts = dict(zip(QUERY_NAMES, query_values(request, figures), strict=True))
    facts |= figure_facts(figures)
    facts |= {name: getattr(worker, name) for name in WORKER_NAMES if name != "proficiency"}
    return facts | {
        "proficiency": worker.proficiency[request.field],
        "distance_m": distance_m(worker.x, worker.y, request.x, request.y),
        "overlap_slots": overlap_slots(worker.slots, request.slots_wanted),
        "inside": int(worker.area in request.line),
        "conflict": int(worker.id in request.conflicts),
        "excluded": int(worker.id in request.excluded),
        "earlier": int(worker.id in request.earlier),
    }


def floor_sqrt(squares: Ints) -> Ints:
    """The exact integer square root of each, below 2^52: float64's, corrected by one either way."""
    root = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    root -= root * root > squares
    root += (root + 1) * (root + 1) <= squares
    return root


def block_facts(block: Rows, query: Any, line: Ints, marks: Ints) -> Mapping[str, Any]:
    """The same facts for a block of postings against one QUERY; `marks` holds each posting's worker's mark."""
    facts: dict[str, Any] = {name: int(query[name]) for name in QUERY_NAMES + FIGURE_NAMES}
    facts |= {name: block[name].astype(np.int64) for name in WORKER_NAMES}
    east, north = facts["x"] - facts["x_wanted"], facts["y"] - facts["y_wanted"]
    return facts | {
        "distance_m": floor_sqrt(east * east + north * north),
        "overlap_slots": np.bitwise_count(facts["slots"] & facts["slots_wanted"]).astype(np.int64),
        "inside": np.isin(block["area"], line).astype(np.int64),
        **mark_facts(marks),
    }


def mark_facts(marks: Ints) -> dict[str, Ints]:
    """The facts that marks say, 0 or 1 each."""
    return {name: (marks & bit) // bit for name, bit in MARKS.items()}
