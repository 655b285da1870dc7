"""Areas: which divisions' figures belong to an area on a day, and how many villages and communities it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

import msgspec

from banyan.kernel.divisions import Tree, level, prefix

COMMITTEE, COMMUNITY, SUBDISTRICT = "village_committee", "residents_committee", "subdistrict"


class Denominators(msgspec.Struct, frozen=True, kw_only=True):
    """Countable divisions of an area: villages of both kinds, communities under 街道, and all communities."""

    villages: int
    subdistrict_communities: int
    all_communities: int


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """An area as a condition: codes that begin so, and `more`, but not `less` (each a whole code)."""

    begins: str
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()


@lru_cache(maxsize=8)
def _standing(tree: Tree, on: date) -> frozenset[str]:
    return frozenset(row.code for row in tree.standing(on))


@lru_cache(maxsize=8)
def _moved(tree: Tree, on: date) -> tuple[str, ...]:
    return tuple(prefix(code) for code, _ in tree.reporting(on))


def _ordinary(tree: Tree, code: str, on: date) -> bool:
    """In force on the day, and in the hands of whom it lies under: containment decides."""
    return code in _standing(tree, on) and not code.startswith(_moved(tree, on))


def reach(tree: Tree | None, area: str, codes: Iterable[str], on: date) -> Reach:
    """The condition of an area over the codes that occur in the figures; retired codes and `reports_to` followed."""
    begins = prefix(area)
    if tree is None:
        return Reach(begins=begins)
    more: list[str] = []
    less: list[str] = []
    for code in codes:
        inside = code.startswith(begins)
        if not _ordinary(tree, code, on) and inside != tree.within(area, code, on):
            (less if inside else more).append(code)
    return Reach(begins=begins, more=tuple(sorted(more)), less=tuple(sorted(less)))


def child(tree: Tree | None, area: str, code: str, on: date) -> str:
    """The division directly below the area to whose figure a code belongs; the area itself where it is none lower."""
    if tree is not None and not _ordinary(tree, code, on):
        line = tree.line(code, on)
        return line[line.index(area) - 1] if area in line[1:] else area
    if code == area or not code.startswith(prefix(area)):
        return area
    deeper = (code[:length].ljust(12, "0") for length in (4, 6, 9, 12))
    return next(each for each in deeper if each != area and len(prefix(each)) > len(prefix(area)))


@lru_cache(maxsize=8)
def _villages(tree: Tree, on: date) -> tuple[tuple[str, str], ...]:
    """(code, kind) of each countable village, with the kind `subdistrict` for a community under 街道."""
    found = []
    for row in tree.standing(on, "village"):
        if row.countable:
            above = tree.find(row.parent_code, on)
            under = above is not None and above.kind == SUBDISTRICT
            found.append((row.code, SUBDISTRICT if under and row.kind == COMMUNITY else row.kind))
    return tuple(found)


def villages(tree: Tree | None, area: str, on: date) -> Iterator[tuple[str, str]]:
    """Countable villages of an area with their kinds; none without reference data."""
    if tree is None:
        return
    begins = prefix(area)
    for code, kind in _villages(tree, on):
        inside = code.startswith(begins)
        if inside if _ordinary(tree, code, on) else tree.within(area, code, on):
            yield code, kind


def denominators(tree: Tree | None, area: str, on: date) -> Denominators:
    """How many villages and communities count in an area on a day, by both readings of 城市社区."""
    kinds = [kind for _, kind in villages(tree, area, on)]
    subdistrict = kinds.count(SUBDISTRICT)
    return Denominators(
        villages=len(kinds),
        subdistrict_communities=subdistrict,
        all_communities=subdistrict + kinds.count(COMMUNITY),
    )


def covered(codes: Iterable[str], places: Iterable[str], levels: Iterable[str]) -> set[str]:
    """The codes that lie in one of the places; places of other levels than those named cover nothing."""
    counted = frozenset(levels)
    heads = {prefix(place) for place in places if level(place) in counted}
    lengths = sorted({len(head) for head in heads})
    return {code for code in codes if any(code[:length] in heads for length in lengths)}


def villages_by_place(
    tree: Tree | None, area: str, places: Iterable[str], levels: Iterable[str], on: date
) -> dict[str, list[str]]:
    """Which countable villages of an area each place covers; places of other levels than those named cover none."""
    counted = frozenset(levels)
    heads = {prefix(place): place for place in places if level(place) in counted}
    lengths = sorted({len(head) for head in heads})
    found: dict[str, list[str]] = {}
    for code, _ in villages(tree, area, on):
        for length in lengths:
            place = heads.get(code[:length])
            if place is not None:
                found.setdefault(place, []).append(code)
    return found
