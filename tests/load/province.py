"""A generated province for load tests: assigned workers and requests from a seed. Nobody in it is real.

Cities, populations (2020 census, ten thousands) and their main dialects are public facts; everything else is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.matching.ranking import FUJIAN, POSTING, Figures, Request, Workers
from services.matching.typhoon.day import FIELD_WEIGHT, proficiency, slot_bits

FIELDS = 17
COUNTIES = 84
TOWNS = 1_100
FIGURES = Figures(
    proficiency_1_points=1_000,
    proficiency_2_points=2_000,
    proficiency_3_points=2_800,
    nearest_points=3_000,
    all_free_points=1_200,
    earlier_points=1_800,
    asked_language_points=400,
    exact_level_points=400,
    slot_points=50,
    slots_most_points=400,
    offered_points=400,
    limits_m=(25_000,) * 9 + (40_000,) * 8,
    far_urgency=3,
    far_times_percent=150,
)
_CITIES = (  # longitude, latitude in hundredths of a degree, counties, people, dialect bit
    (119_30, 26_07, 13, 829, 1),
    (118_09, 24_52, 6, 516, 2),
    (118_60, 24_90, 12, 878, 2),
    (117_60, 24_45, 11, 505, 2),
    (119_01, 25_43, 5, 321, 4),
    (119_50, 26_90, 9, 315, 1),
    (118_15, 27_30, 10, 268, 5),
    (117_55, 26_25, 11, 249, 3),
    (116_95, 25_10, 7, 272, 3),
)
_MANDARIN, _SIGN, _MINNAN = 1, 1 << 6, 1 << 2
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Places:
    """Towns: metres in the plane, county number, dialect bit, share of the people."""

    x: Ints
    y: Ints
    county: Ints
    dialect: Ints
    share: NDArray[np.float64]

    def line(self, town: int) -> tuple[int, ...]:
        """The line of authority of a town: town, county, city, province."""
        return (self.code(town), self.county_code(self.county[town]), *_above(int(self.county[town])))

    def code(self, town: Any) -> Any:
        """A town's invented code."""
        return self.county_code(self.county[town]) + (town + 1) * 1_000

    def county_code(self, county: Any) -> Any:
        """A county's invented code; its city is the last whose counties begin at or before it."""
        return _city_code(_city_of(county)) + (county + 1) * 1_000_000


def _city_of(county: Any) -> Any:
    return np.searchsorted(np.cumsum([city[2] for city in _CITIES]), county, side="right")


def _city_code(city: Any) -> Any:
    return 35 * 10**10 + (city + 1) * 10**8


def _above(county: int) -> tuple[int, int]:
    return int(_city_code(_city_of(county))), 35 * 10**10


def places(seed: int) -> Places:
    """Draws the towns around county seats around cities."""
    random = np.random.default_rng((seed, 1))
    city = np.repeat(np.arange(len(_CITIES)), [each[2] for each in _CITIES])
    lon = np.array([each[0] for each in _CITIES])[city] / 100 + random.normal(0, 0.4, COUNTIES)
    lat = np.array([each[1] for each in _CITIES])[city] / 100 + random.normal(0, 0.35, COUNTIES)
    people = random.lognormal(0, 0.6, COUNTIES) * np.array([each[3] / each[2] for each in _CITIES])[city]
    county = np.sort(np.r_[np.arange(COUNTIES), random.choice(COUNTIES, TOWNS - COUNTIES, p=people / people.sum())])
    share = random.lognormal(0, 0.7, TOWNS)
    share *= people[county] / np.bincount(county, share, COUNTIES)[county]
    x, y = _metres(lon[county] + random.normal(0, 0.11, TOWNS), lat[county] + random.normal(0, 0.11, TOWNS))
    dialect = np.array([each[4] for each in _CITIES])[city[county]]
    return Places(x, y, county, dialect, share / share.sum())


def _metres(lon: Any, lat: Any) -> tuple[Ints, Ints]:
    found = [FUJIAN.metres(int(e * 1_000_000), int(n * 1_000_000)) for e, n in zip(lon, lat, strict=True)]
    array = np.array(found, np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _near(random: np.random.Generator, towns: Places, size: int) -> tuple[Ints, Ints, Ints]:
    town = random.choice(TOWNS, size, p=towns.share)
    spread = random.normal(0, 3_000, (2, size)).astype(np.int64)
    return town, towns.x[town] + spread[0], towns.y[town] + spread[1]


def workers(towns: Places, size: int, seed: int) -> Workers:
    """Draws assigned workers: 1 to 4 fields each, area a county (nine in ten) or a city."""
    random = np.random.default_rng((seed, 2))
    town, x, y = _near(random, towns, size)
    rows = np.zeros(size, POSTING)
    rows["worker"], rows["x"], rows["y"] = np.arange(size), x, y
    county = towns.county[town]
    rows["area"] = np.where(random.random(size) < 0.9, towns.county_code(county), _city_code(_city_of(county)))
    rows["capacity"] = np.clip(random.poisson(7.5, size), 0, 15)
    rows["free"] = rows["capacity"] - np.floor(rows["capacity"] * random.beta(3.2, 1.8, size) + random.random(size))
    rows["free"] = np.maximum(rows["free"], 0)
    rows["level"] = random.choice(4, size, p=[0.1, 0.55, 0.28, 0.07])
    rows["registered"] = random.random(size) < 0.85
    rows["sex"] = np.where(random.random(size) < 0.72, 1, 2)
    spoken = np.where(random.random(size) < 0.75, 1 << towns.dialect[town], 0)
    rare = np.where(random.random(size) < 0.15, _MINNAN, 0) | np.where(random.random(size) < 0.01, _SIGN, 0)
    rows["languages"] = _MANDARIN | spoken | rare
    rows["slots"] = slot_bits(random, size, 0.55)
    rows["cross_area"] = random.random(size) < 0.8
    ids = [f"{number:08x}-{seed:04x}" for number in random.permutation(size)]
    return Workers(ids, rows, proficiency(random, size))


def requests(towns: Places, held: Workers, size: int, seed: int) -> list[Request]:
    """Draws requests; a fifth name an earlier worker, some a conflict or who declined, two in three allow 跨区支援."""
    random = np.random.default_rng((seed, 3))
    town, x, y = _near(random, towns, size)
    field = random.choice(FIELDS, size, p=FIELD_WEIGHT / FIELD_WEIGHT.sum())
    asks = random.random((8, size))
    slots = np.where(asks[0] < 0.8, slot_bits(random, size, 0.35), 0)
    neighbours = [np.flatnonzero(held.proficiency[:, each] > 0) for each in range(FIELDS)]
    found = []
    for at in range(size):
        dialect = 1 << int(towns.dialect[town[at]])
        near = neighbours[field[at]]
        near = near[np.argsort(np.abs(held.rows["x"][near] - x[at]) + np.abs(held.rows["y"][near] - y[at]))[:60]]
        known = [held.ids[slot] for slot in random.choice(near, 4)]
        found.append(
            Request(
                field=int(field[at]),
                x=int(x[at]),
                y=int(y[at]),
                line=tuple(map(int, towns.line(int(town[at])))),
                urgency=int(random.choice(4, p=[0.45, 0.33, 0.17, 0.05])),
                registration_needed=int(asks[1, at] < 0.3),
                languages_needed=_SIGN if asks[2, at] > 0.998 else dialect if asks[2, at] < 0.2 else 0,
                languages_wished=dialect if asks[3, at] < 0.3 else 0,
                sex_wanted=1 if asks[4, at] < 0.08 else 2 if asks[4, at] < 0.1 else 0,
                min_level=int(random.choice(4, p=[0.3, 0.45, 0.2, 0.05])),
                slots_wanted=int(slots[at]),
                cross_area_allowed=int(asks[5, at] < 0.67),
                earlier=tuple(known[:1]) if asks[6, at] < 0.2 else (),
                conflicts=tuple(known[1:2]) if asks[7, at] < 0.03 else (),
                excluded=tuple(known[2:]) if asks[7, at] > 0.95 else (),
            )
        )
    return found
