"""The numba kernel: sift the postings within reach by the rules, then score what is left. Imported only by `kernel`.

It calls the table's own formulas, compiled; what stands here is the walk and the list of the best.
"""

# mypy: disable-error-code="untyped-decorator, no-any-return, return-value"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from services.matching.ranking import formulas, grid
from services.matching.ranking.measures import CONFLICT, EARLIER, EXCLUDED

njit: Any = numba.njit  # what it returns is called with numba's own integers and records; its types do not say so
registration, field, free_capacity = map(njit, (formulas.registration, formulas.field, formulas.free_capacity))
no_conflict, not_excluded = map(njit, (formulas.no_conflict, formulas.not_excluded))
language, sex, level = map(njit, (formulas.language, formulas.sex, formulas.level))
times, distance, jurisdiction = map(njit, (formulas.times, formulas.distance, formulas.jurisdiction))
proficiency_points, distance_points = map(njit, (formulas.proficiency_points, formulas.distance_points))
capacity_points, continuity_points = map(njit, (formulas.capacity_points, formulas.continuity_points))
language_points, level_points = map(njit, (formulas.language_points, formulas.level_points))
availability_points = njit(formulas.availability_points)
first_cell, last_cell, reach_in_row = map(njit, (grid.first_cell, grid.last_cell, grid.reach_in_row))
SIZE, MASK = grid.SIZE, grid.MASK


@njit
def floor_sqrt(square: int) -> int:
    """The exact integer square root below 2^52: float64's, corrected by one either way."""
    root = np.int64(np.sqrt(np.float64(square)))
    if root * root > square:
        root -= 1
    if (root + 1) * (root + 1) <= square:
        root += 1
    return root


@njit
def ones(bits: int) -> int:
    """How many bits are set, of 31."""
    bits = bits - ((bits >> 1) & 0x55555555)
    bits = (bits & 0x33333333) + ((bits >> 2) & 0x33333333)
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F
    return ((bits * 0x01010101) >> 24) & 0xFF


@njit
def inside(area: int, line: Any) -> int:
    """1 if the area is one of the request's line of authority."""
    found = 0
    for at in range(len(line)):
        found |= line[at] == area
    return found


@njit
def passes(p: Any, q: Any, mark: int, line: Any) -> bool:
    """Every rule but distance on one posting; `&`, not `and`: a branch guessed wrong costs more than a rule."""
    return (
        free_capacity(p.free)
        & language(p.languages, q.languages_needed)
        & level(p.level, q.min_level)
        & registration(p.registered, q.registration_needed)
        & sex(p.sex, q.sex_wanted)
        & times(p.slots & q.slots_wanted, q.slots_wanted)
        & field(p.proficiency)
        & no_conflict(mark & CONFLICT)
        & not_excluded(mark & EXCLUDED)
        & jurisdiction(inside(p.area, line), p.cross_area, q.cross_area_allowed)
    )


@njit
def points(p: Any, q: Any, mark: int, overlap: int, metres: int) -> int:
    """Every term of the table on one posting, added up."""
    return (
        proficiency_points(p.proficiency, q.proficiency_1_points, q.proficiency_2_points, q.proficiency_3_points)
        + distance_points(metres, q.limit_m, q.nearest_points)
        + capacity_points(p.free, p.capacity, q.all_free_points)
        + continuity_points((mark & EARLIER) // EARLIER, q.earlier_points)
        + language_points(p.languages, q.languages_needed, q.languages_wished, q.asked_language_points)
        + level_points(p.level, q.min_level, q.exact_level_points)
        + availability_points(overlap, q.slot_points, q.slots_most_points)
    )


@njit
def insert(scores: Any, slots: Any, keys: Any, held: int, score: int, worker: int) -> int:
    """Puts a pair where it belongs among the best held so far; answers how many are held."""
    k = len(scores)
    if held == k:
        if score < scores[k - 1] or (score == scores[k - 1] and keys[worker] > keys[slots[k - 1]]):
            return held
        at = k - 1
    else:
        at = held
        held += 1
    while at > 0 and (scores[at - 1] < score or (scores[at - 1] == score and keys[slots[at - 1]] > keys[worker])):
        scores[at], slots[at] = scores[at - 1], slots[at - 1]
        at -= 1
    scores[at], slots[at] = score, worker
    return held


@njit
def square_m2(p: Any, q: Any) -> int:
    """The squared distance of a posting."""
    east, north = np.int64(p.x) - q.x_wanted, np.int64(p.y) - q.y_wanted
    return east * east + north * north


@njit
def sift(pool: Any, first: int, last: int, marks: Any, line: Any, q: Any, kept: Any, many: int) -> int:
    """Writes the places of a bucket that pass after the `many` kept so far, without a branch; answers how many then."""
    reach2 = (q.limit_m + 1) * (q.limit_m + 1)
    for place in range(first, last):
        p = pool[place]
        kept[many] = place
        many += (square_m2(p, q) < reach2) & passes(p, q, np.int64(marks[p.worker]), line)
    return many


@njit
def choose(pool: Any, kept: Any, keys: Any, marks: Any, q: Any, scores: Any, slots: Any) -> int:
    """Scores the kept places and holds the best; answers how many are held."""
    held = 0
    for place in kept:
        p = pool[place]
        metres = floor_sqrt(square_m2(p, q))
        if distance(metres, q.limit_m):
            overlap, mark = ones(p.slots & q.slots_wanted), np.int64(marks[p.worker])
            held = insert(scores, slots, keys, held, points(p, q, mark, overlap, metres), np.int64(p.worker))
    return held


@njit
def window(start: Any, count: Any, q: Any, spans: Any) -> tuple[int, int]:
    """Writes the span of each bucket within reach that holds any; answers how many buckets, how many places."""
    many = places = 0
    for row in range(first_cell(q.y_wanted, q.limit_m), last_cell(q.y_wanted, q.limit_m) + 1):
        wide = reach_in_row(row, q.y_wanted, q.limit_m)
        if wide < 0:
            continue
        base = (q.field_wanted * SIZE + (row & MASK)) * SIZE
        for column in range(first_cell(q.x_wanted, wide), last_cell(q.x_wanted, wide) + 1):
            bucket = base + (column & MASK)
            spans[many, 0], spans[many, 1] = start[bucket], start[bucket] + count[bucket]
            places += count[bucket]
            many += count[bucket] > 0
    return many, places


def build(stamp: int) -> Callable[..., int]:
    """The compiled `top`. The stamp is closed over, so a kernel cached from other sources is never loaded."""

    @njit(cache=True)
    def top(
        pool: Any, start: Any, count: Any, keys: Any, marks: Any, line: Any, queries: Any, scores: Any, slots: Any
    ) -> int:
        if stamp < 0:
            return 0
        q = queries[0]
        side = last_cell(0, q.limit_m) - first_cell(0, q.limit_m) + 3
        spans = np.empty((min(side, SIZE) * min(side, SIZE) + 1, 2), np.int64)
        buckets, places = window(start, count, q, spans)
        kept = np.empty(places + 1, np.int64)
        many = 0
        for at in range(buckets):
            many = sift(pool, spans[at, 0], spans[at, 1], marks, line, q, kept, many)
        return choose(pool, kept[:many], keys, marks, q, scores, slots)

    return cast(Callable[..., int], top)
