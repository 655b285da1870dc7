"""The numba kernel: the cells within reach from near to far, and of each only the first postings, those with the most points of their
own, as long as they can still come in. Imported only by `kernel`.

It calls the table's own formulas, compiled; what stands here is the walk and the list of the best: rows of (points, key, slot).
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
inlined: Any = numba.njit(inline="always")
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
def passes(p: Any, q: Any, mark: int) -> bool:
    """Every rule but distance and jurisdiction on one posting; `&`, not `and`: a branch guessed wrong costs more than a rule."""
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
    )


@njit
def own_points(p: Any, q: Any) -> int:
    """The terms that are the worker's alone, added up: what a posting has of its own."""
    return proficiency_points(
        p.proficiency, q.proficiency_1_points, q.proficiency_2_points, q.proficiency_3_points
    ) + capacity_points(p.free, p.capacity, q.all_free_points)


@njit
def other_points(p: Any, q: Any, mark: int, overlap: int, metres: int) -> int:
    """Every other term of the table on one posting, added up."""
    return (
        distance_points(metres, q.limit_m, q.nearest_points)
        + continuity_points((mark & EARLIER) // EARLIER, q.earlier_points)
        + language_points(p.languages, q.languages_needed, q.languages_wished, q.asked_language_points)
        + level_points(p.level, q.min_level, q.exact_level_points)
        + availability_points(overlap, q.slot_points, q.slots_most_points)
    )


@njit
def insert(best: Any, held: int, score: int, key: int, slot: int) -> int:
    """Puts a pair where it belongs among the best held so far; answers how many are held."""
    k = len(best)
    if held == k:
        if score < best[k - 1, 0] or (score == best[k - 1, 0] and key > best[k - 1, 1]):
            return held
        at = k - 1
    else:
        at = held
        held += 1
    while at > 0 and (best[at - 1, 0] < score or (best[at - 1, 0] == score and best[at - 1, 1] > key)):
        best[at, 0], best[at, 1], best[at, 2] = best[at - 1, 0], best[at - 1, 1], best[at - 1, 2]
        at -= 1
    best[at, 0], best[at, 1], best[at, 2] = score, key, slot
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
def judged(p: Any, q: Any, mark: int, line: Any) -> int:
    """What a posting has besides its own points; below 0 where a rule fails."""
    square = square_m2(p, q)
    if square >= (q.limit_m + 1) * (q.limit_m + 1) or not passes(p, q, mark):
        return -1
    metres = floor_sqrt(square)
    if not (distance(metres, q.limit_m) & jurisdiction(inside(p.area, line), p.cross_area, q.cross_area_allowed)):
        return -1
    return other_points(p, q, mark, ones(p.slots & q.slots_wanted), metres)


@inlined
def choose(
    pool: Any, first: int, last: int, rest: int, line: Any, q: Any, traits: int, best: Any, held: int
) -> int:
    """Holds the best of a bucket, from who has the most of their own on, until that and the `rest` cannot come in any more."""
    k = len(best)
    floor = best[k - 1, 0] if held == k else np.int64(0)
    for place in range(first, last):
        p = pool[place]
        if p.own + rest < floor:
            break
        if (p.traits & traits) != traits or p.mark & EARLIER:
            continue  # fails a rule for sure; or looked at before: what it has on top is in no bound
        more = judged(p, q, p.mark, line)
        if more >= 0 and p.own + more >= floor:
            held = insert(best, held, p.own + more, p.key, p.worker)
            floor = best[k - 1, 0] if held == k else np.int64(0)
    return held


@njit
def named_first(pool: Any, named: Any, line: Any, q: Any, best: Any) -> int:
    """Holds those who served this household before; answers how many."""
    held = 0
    for place in named:
        p = pool[place]
        more = judged(p, q, p.mark, line)
        if more >= 0:
            held = insert(best, held, p.own + more, p.key, p.worker)
    return held


def build(stamp: int) -> Callable[..., int]:
    """The compiled `top`. The stamp is closed over, so a kernel cached from other sources is never loaded."""

    @njit(cache=True)
    def top(pool: Any, runs: Any, named: Any, line: Any, queries: Any, traits: int, best: Any) -> int:
        if stamp < 0:
            return 0
        q = queries[0]
        held = named_first(pool, named, line, q, best)
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
                run = runs[base + (column & MASK)]
                if column > last or run[0] == run[1]:
                    continue
                east = 0 if last - first + 1 >= SIZE else apart_m(column, q.x_wanted)
                rest = most_points(q, min(floor_sqrt(north * north + east * east), q.limit_m))
                held = choose(pool, run[0], run[1], rest, line, q, traits, best, held)
        return held

    return cast(Callable[..., int], top)
