"""Points: converted in one function and back, and coarse enough to hide a house."""

from __future__ import annotations

import math
import random

import pytest

from banyan.kernel import places as p
from banyan.kernel.refusal import Refused


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (a[0] - b[0]) * p.METRES_A_DEGREE * math.cos(math.radians(a[1]))
    return math.hypot(east, (a[1] - b[1]) * p.METRES_A_DEGREE)


def test_a_known_pair_of_the_public_formula() -> None:
    seen = p.spot(p.Point(116.404, 39.915, p.WGS, 5, "gps"))
    assert seen == p.Spot(116_410_244, 39_916_404, 6)


def test_gcj_comes_in_unchanged_and_cgcs2000_as_wgs84() -> None:
    assert p.spot(p.Point(119.2951, 26.1008, p.GCJ, 10, "map")) == p.Spot(119_295_100, 26_100_800, 10)
    survey, gps = (p.Point(119.2951, 26.1008, crs, 10, "survey") for crs in (p.CGCS, p.WGS))
    assert p.spot(survey) == p.spot(gps)


def test_there_and_back_is_within_the_declared_error() -> None:
    seed = 7
    print("seed", seed)  # noqa: T201 (a random test prints its seed)
    chance = random.Random(seed)
    for _ in range(500):
        given = p.Point(chance.uniform(115.8, 120.8), chance.uniform(23.5, 28.4), p.WGS, 3, "gps")
        back = p.point_from(p.spot(given), p.WGS, "gps")
        away = metres((given.longitude, given.latitude), (back.longitude, back.latitude))
        assert away < p.CONVERSION_ERROR_M and back.accuracy_m == 3 + 2 * p.CONVERSION_ERROR_M
        shifted = p.point_from(p.spot(given), p.GCJ, "gps")
        assert 100 < metres((given.longitude, given.latitude), (shifted.longitude, shifted.latitude)) < 800


@pytest.mark.parametrize(
    "point",
    [
        p.Point(119.0, 26.0, "BD-09", 5, "map"),
        p.Point(181.0, 26.0, p.GCJ, 5, "map"),
        p.Point(119.0, 91.0, p.GCJ, 5, "map"),
        p.Point(math.nan, 26.0, p.GCJ, 5, "map"),
        p.Point(119.0, 26.0, p.GCJ, -1, "map"),
    ],
)
def test_what_is_no_point_is_refused(point: p.Point) -> None:
    with pytest.raises(Refused) as no:
        p.spot(point)
    assert no.value.code == "place_format"


def test_a_cell_hides_the_house_and_stays_the_same() -> None:
    seed = 11
    print("seed", seed)  # noqa: T201 (a random test prints its seed)
    chance = random.Random(seed)
    cells = set()
    for _ in range(500):
        point = p.Point(119.3 + chance.uniform(0, 0.02), 26.0 + chance.uniform(0, 0.02), p.GCJ, 5, "map")
        cell = p.coarse_cell(point)
        cells.add(cell)
        middle = (cell.longitude_udeg / p.MICRO, cell.latitude_udeg / p.MICRO)
        assert metres((point.longitude, point.latitude), middle) <= cell.accuracy_m
    assert 4 <= len(cells) <= 16
