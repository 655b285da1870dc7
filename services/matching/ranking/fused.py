"""The numba kernel: the cells within reach from near to far, and of each only the postings that can still come in. Imported only by
`kernel`.

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
CELL_M, SIZE, MASK = grid.CELL_M, grid.SIZE, grid.MASK


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
def most_points(q: Any, metres: int) -> int:
    """The most that what is not the worker's alone can give so far away, continuity apart; a test holds it to the table."""
    return (
        distance_points(metres, q.limit_m, q.nearest_points)
        + ((q.languages_needed | q.languages_wished) != 0) * q.asked_language_points
        + q.exact_level_points
        + (q.slots_wanted != 0) * q.slots_most_points
    )


@njit
def apart_m(cell: int, at: int) -> int:
    """How far a place is from the nearest point of a row (or column) of cells."""
    low = cell * CELL_M
    return max(0, low - at, at - (low + CELL_M - 1))


@njit
def outward(step: int, first: int, last: int, centre: int) -> int:
    """The row (or column) to look at next, from the centre outward on both sides; `last + 1` where that is beyond an end."""
    at = centre + (step + 1) // 2 if step & 1 else centre - step // 2
    return at if first <= at <= last else last + 1


@njit
def score(p: Any, q: Any, mark: int, line: Any) -> int:
    """The score of a posting; below 0 where a rule fails."""
    square = square_m2(p, q)
    if square >= (q.limit_m + 1) * (q.limit_m + 1) or not passes(p, q, mark, line):
        return -1
    metres = floor_sqrt(square)
    return points(p, q, mark, ones(p.slots & q.slots_wanted), metres) if distance(metres, q.limit_m) else -1


@njit
def choose(
    pool: Any, first: int, last: int, own: Any, rest: int, keys: Any, marks: Any, line: Any, q: Any, scores: Any,
    slots: Any, held: int,
) -> int:  # fmt: skip
    """Holds the best of a bucket, each judged only where its own points and the `rest` can reach the last one held."""
    floor = scores[held - 1] if held == len(scores) else np.int64(0)
    for place in range(first, last):
        if own[place] + rest < floor:
            continue
        p = pool[place]
        mark = np.int64(marks[p.worker])
        if mark & EARLIER:
            continue  # looked at before: what it has on top is in no bound
        got = score(p, q, mark, line)
        if got >= floor:
            held = insert(scores, slots, keys, held, got, np.int64(p.worker))
            floor = scores[held - 1] if held == len(scores) else np.int64(0)
    return held


@njit
def named_first(
    pool: Any, where: Any, keys: Any, marks: Any, named: Any, line: Any, q: Any, scores: Any, slots: Any
) -> int:
    """Holds those who served this household before; answers how many."""
    held = 0
    for slot in named:
        place = where[slot, q.field_wanted]
        if place >= 0:
            got = score(pool[place], q, np.int64(marks[slot]), line)
            if got >= 0:
                held = insert(scores, slots, keys, held, got, slot)
    return held


def build(stamp: int) -> Callable[..., int]:
    """The compiled `top`. The stamp is closed over, so a kernel cached from other sources is never loaded."""

    @njit(cache=True)
    def top(
        pool: Any, start: Any, count: Any, own: Any, where: Any, keys: Any, marks: Any, named: Any, line: Any,
        queries: Any, scores: Any, slots: Any,
    ) -> int:  # fmt: skip
        if stamp < 0:
            return 0
        q = queries[0]
        held = named_first(pool, where, keys, marks, named, line, q, scores, slots)
        rows_from, rows_to = first_cell(q.y_wanted, q.limit_m), last_cell(q.y_wanted, q.limit_m)
        around = rows_to - rows_from + 1 >= SIZE
        for step in range(2 * (rows_to - rows_from + 1) + 1):
            row = outward(step, rows_from, rows_to, min(q.y_wanted // CELL_M, rows_to))
            wide = reach_in_row(row, q.y_wanted, q.limit_m) if row <= rows_to else -1
            if wide < 0:
                continue
            north = 0 if around else apart_m(row, q.y_wanted)
            base = (q.field_wanted * SIZE + (row & MASK)) * SIZE
            first, last = first_cell(q.x_wanted, wide), last_cell(q.x_wanted, wide)
            for aside in range(2 * (last - first + 1) + 1):
                column = outward(aside, first, last, min(q.x_wanted // CELL_M, last))
                bucket = base + (column & MASK)
                if column > last or count[bucket] == 0:
                    continue
                east = 0 if last - first + 1 >= SIZE else apart_m(column, q.x_wanted)
                rest = most_points(q, min(floor_sqrt(north * north + east * east), q.limit_m))
                held = choose(
                    pool,
                    start[bucket],
                    start[bucket] + count[bucket],
                    own,
                    rest,
                    keys,
                    marks,
                    line,
                    q,
                    scores,
                    slots,
                    held,
                )
        return held

    return cast(Callable[..., int], top)
