"""Draws the workers and the calls for help of one day over the real divisions. The same seed draws the same day.

Cities' people (2020 census, ten thousands) and main dialects are public facts; people in a county follow its number of
villages; towns and villages lie around the centre of their county, which is as near as the divisions' data says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banyan.kernel.codes import CODES
from banyan.kernel.policy import Policy, seed_figures
from services.matching.domain.pairing import FIELDS, POINTS
from services.matching.domain.place import centre
from services.matching.optimum.problem import NAMED, SERVING, Problem, serving_of
from services.matching.ranking import FUJIAN, POSTING, Figures, Workers
from services.matching.ranking.arrays import LINE_LENGTH
from services.matching.ranking.measures import CONFLICT, EARLIER, EXCLUDED, FIGURE_NAMES, QUERY

Ints = NDArray[np.int64]
ON = date(2026, 9, 1)
PROVINCE = 350000000000
SLOTS = 21
CITIES = {  # people in ten thousands, main dialect, whether a typhoon on the north-east coast hits it
    3501: (829, "fuzhou", True), 3502: (516, "minnan", False), 3503: (321, "puxian", True),
    3504: (249, "hakka", False), 3505: (878, "minnan", False), 3506: (505, "minnan", False),
    3507: (268, "minbei", False), 3508: (272, "hakka", False), 3509: (315, "mindong", True),
}  # fmt: skip
HIT_TIMES, HIT_FIELDS_TIMES = 6, 5
HIT_FIELDS = ("emergency", "assistance", "mental_health")
TOWN_SPREAD_M, VILLAGE_SPREAD_M, HOUSE_SPREAD_M = 11_000, 2_800, 420
FIELD_WEIGHT = 1 / np.arange(1, len(FIELDS) + 1) ** 0.75


@dataclass(frozen=True)
class Day:
    """A problem, and what its figures are told by: one number a request, one county a worker."""

    problem: Problem
    urgency: Ints
    waited_days: Ints
    county: Ints
    group: Ints
    worker_county: Ints


@dataclass(frozen=True)
class Land:
    """Villages of one province: code, metres in the plane, dialect bit, share of the people, whether it is hit."""

    code: Ints
    x: Ints
    y: Ints
    dialect: Ints
    share: NDArray[np.float64]
    hit: NDArray[np.bool_]

    @property
    def county(self) -> Ints:
        """Each village's county."""
        return self.code // 10**6 * 10**6


@cache
def policy() -> Policy:
    """The figures that matching is seeded with."""
    return Policy(seed_figures(resources.files("services.matching").joinpath("policy.toml").read_text("utf-8")))


def figures() -> Figures:
    """The figures of the score, province-wide."""
    limits = policy().at("field_limit_m", ON)
    points = {name: policy().at(name, ON) for name in POINTS}
    return Figures(limits_m=tuple(limits[code] for code in FIELDS), **points)


def land(villages: Sequence[str], seed: int) -> Land:
    """Lays villages (12-digit codes) around the centres of their counties; Jinmen has none and gets none."""
    random = np.random.default_rng((seed, 1))
    code = np.array(sorted(villages), np.int64)
    towns, town_of = np.unique(code // 1_000, return_inverse=True)
    counties, county_of = np.unique(code // 10**6, return_inverse=True)
    middle = np.array([_metres(int(county)) for county in counties], np.int64)[county_of]
    spread = random.normal(0, TOWN_SPREAD_M, (2, len(towns)))[:, town_of]
    spread = (spread + random.normal(0, VILLAGE_SPREAD_M, (2, len(code)))).astype(np.int64)
    cities = [CITIES[int(city)] for city in code // 10**8]
    people = np.array([city[0] for city in cities]) * random.lognormal(0, 0.6, len(code))
    people /= np.bincount(code // 10**8, people)[code // 10**8] / np.array([city[0] for city in cities])
    return Land(
        code=code,
        x=middle[:, 0] + spread[0],
        y=middle[:, 1] + spread[1],
        dialect=np.array([_language(city[1]) for city in cities], np.int64),
        share=people / people.sum(),
        hit=np.array([city[2] for city in cities]),
    )


def _metres(county: int) -> tuple[int, int]:
    point = centre(f"{county:06d}000000")
    if point is None:
        raise ValueError(f"no centre is known near {county}")
    return FUJIAN.metres(point.lon_udeg, point.lat_udeg)


def _language(code: str) -> int:
    return 1 << list(CODES["language"]).index(code)


def slot_bits(random: np.random.Generator, size: int, share: float) -> Ints:
    """Sets of slots, each slot in with the same chance."""
    return (random.random((size, SLOTS)) < share) @ (1 << np.arange(SLOTS, dtype=np.int64))


def _houses(random: np.random.Generator, at: Land, size: int, share: NDArray[np.float64]) -> tuple[Ints, Ints, Ints]:
    village = random.choice(len(at.code), size, p=share)
    spread = random.normal(0, HOUSE_SPREAD_M, (2, size)).astype(np.int64)
    return village, at.x[village] + spread[0], at.y[village] + spread[1]


def workers(at: Land, size: int, seed: int) -> tuple[Workers, Ints]:
    """Draws assigned workers: 1 to 4 fields each, area a county (nine in ten) or a city; and their home counties."""
    random = np.random.default_rng((seed, 2))
    village, x, y = _houses(random, at, size, at.share)
    county = at.county[village]
    rows = np.zeros(size, POSTING)
    rows["worker"], rows["x"], rows["y"] = np.arange(size), x, y
    rows["area"] = np.where(random.random(size) < 0.9, county, county // 10**8 * 10**8)
    rows["capacity"] = np.clip(random.poisson(7.5, size), 1, 15)
    load = np.floor(rows["capacity"] * random.beta(3.2, 1.8, size) + random.random(size)).astype(np.int64)
    rows["free"] = np.maximum(rows["capacity"] - load, 0)
    rows["level"] = random.choice(4, size, p=[0.1, 0.55, 0.28, 0.07])
    rows["registered"] = random.random(size) < 0.85
    rows["sex"] = np.where(random.random(size) < 0.72, 1, 2)
    spoken = np.where(random.random(size) < 0.75, at.dialect[village], 0)
    rare = np.where(random.random(size) < 0.15, _language("minnan"), 0)
    signs = np.where(random.random(size) < 0.01, _language("sign"), 0)
    rows["languages"] = _language("mandarin") | spoken | rare | signs
    rows["slots"] = slot_bits(random, size, 0.55)
    rows["cross_area"] = random.random(size) < 0.8
    ids = [f"a{number:08x}" for number in random.permutation(size)]
    return Workers(ids, rows, proficiency(random, size)), county


def proficiency(random: np.random.Generator, size: int) -> NDArray[np.int8]:
    """1 to 4 fields a worker, drawn without replacement by weight (Gumbel)."""
    liking = np.log(FIELD_WEIGHT) - np.log(-np.log(random.random((size, len(FIELDS)))))
    rank = np.argsort(np.argsort(-liking, axis=1), axis=1)
    many = random.choice([1, 2, 3, 4], size, p=[0.25, 0.4, 0.25, 0.1])
    drawn = random.choice([1, 2, 3], (size, len(FIELDS)), p=[0.4, 0.4, 0.2])
    return np.where(rank < many[:, None], drawn, 0).astype(np.int8)


def day(villages: Sequence[str], requests: int, seed: int, *, size: int = 70_000, surge: bool = True) -> Day:
    """A day of `requests` calls for help and `size` workers; a surge is a typhoon that hits the north-east coast."""
    at = land(villages, seed)
    held, worker_county = workers(at, size, seed)
    return calls(at, held, worker_county, requests, seed, surge=surge)


def calls(at: Land, held: Workers, worker_county: Ints, size: int, seed: int, *, surge: bool) -> Day:
    """Draws the calls for help of a day upon given workers."""
    random = np.random.default_rng((seed, 3))
    share, weight = at.share * np.where(at.hit & surge, HIT_TIMES, 1), FIELD_WEIGHT.copy()
    weight[[FIELDS.index(code) for code in HIT_FIELDS]] *= HIT_FIELDS_TIMES if surge else 1
    village, x, y = _houses(random, at, size, share / share.sum())
    field = random.choice(len(FIELDS), size, p=weight / weight.sum()).astype(np.int64)
    urgency = random.choice(4, size, p=[0.2, 0.35, 0.3, 0.15] if surge else [0.45, 0.33, 0.17, 0.05]).astype(np.int64)
    waited = np.minimum(random.geometric(0.3, size) - 1, policy().at("serving_wait_days_most", ON)).astype(np.int64)
    demand = _needs(random, at.dialect[village], field, urgency, surge)
    demand["x_wanted"], demand["y_wanted"] = x, y
    county = at.county[village]
    problem = Problem(
        workers=held,
        request_ids=[f"q{number:08x}" for number in random.permutation(size)],
        demand=demand,
        lines=_lines(at.code[village]),
        serving=serving(urgency, waited),
        named=_named(random, held, worker_county, field, county),
    )
    group = random.choice(len(CODES["client_group"]), size).astype(np.int64)
    return Day(problem, urgency, waited, county, group, worker_county)


def serving(urgency: Ints, waited_days: Ints) -> Ints:
    """What serving each request is worth by the figures of the day."""
    return serving_of(urgency, waited_days, np.array([policy().at(name, ON) for name in SERVING]))


def _needs(random: np.random.Generator, dialect: Ints, field: Ints, urgency: Ints, surge: bool) -> NDArray[np.void]:
    """What is asked for, as QUERY rows; in a surge every request lets workers of other areas come."""
    size, asks = len(field), random.random((5, len(field)))
    demand, of_score = np.zeros(size, QUERY), figures()
    for name in FIGURE_NAMES:
        demand[name] = getattr(of_score, name)
    limits = np.array([[of_score.limit_m(each, step) for step in range(4)] for each in range(len(FIELDS))])
    registered = [FIELDS.index(code) for code in policy().at("registration_needed", ON)]
    demand["field_wanted"], demand["limit_m"] = field, limits[field, urgency]
    demand["registration_needed"] = np.isin(field, registered)
    demand["languages_needed"] = np.where(asks[0] > 0.998, _language("sign"), np.where(asks[0] < 0.35, dialect, 0))
    demand["languages_wished"] = np.where(asks[1] < 0.3, dialect, 0)
    demand["sex_wanted"] = np.where(asks[2] < 0.08, 1, np.where(asks[2] < 0.1, 2, 0))
    demand["min_level"] = random.choice(4, size, p=[0.3, 0.45, 0.2, 0.05])
    demand["slots_wanted"] = np.where(asks[3] < 0.8, slot_bits(random, size, 0.35), 0)
    demand["cross_area_allowed"] = surge | (urgency >= policy().at("cross_area_urgency", ON))
    return demand


def _lines(village: Ints) -> Ints:
    """Each village's line of authority: itself, town, county, city, province."""
    lines = np.zeros((len(village), LINE_LENGTH), np.int64)
    for depth, cut in enumerate((1, 10**3, 10**6, 10**8)):
        lines[:, depth] = village // cut * cut
    lines[:, 4] = PROVINCE
    return lines


def _named(random: np.random.Generator, held: Workers, home: Ints, field: Ints, county: Ints) -> NDArray[np.void]:
    """A fifth name an earlier worker of their county and field, some a conflict, some who declined before."""
    slot, served = np.nonzero(held.proficiency)
    key = served * 10**7 + home[slot] // 10**6
    order = np.argsort(key, kind="stable")
    slot, key = slot[order], key[order]
    wanted = field * 10**7 + county // 10**6
    low, high = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
    marks: dict[tuple[int, int], int] = {}
    for share, mark in ((0.2, EARLIER), (0.03, CONFLICT), (0.05, EXCLUDED)):
        chosen = np.flatnonzero((random.random(len(field)) < share) & (high > low))
        picked = slot[low[chosen] + (random.random(len(chosen)) * (high - low)[chosen]).astype(np.int64)]
        for pair in zip(chosen.tolist(), picked.tolist(), strict=True):
            marks[pair] = marks.get(pair, 0) | mark
    found: Any = np.array([(*pair, marks[pair]) for pair in sorted(marks)], NAMED)
    return found
