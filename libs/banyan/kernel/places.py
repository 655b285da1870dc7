"""Points on the map: kept as received, converted in one function, coarsened before anybody may know the house.

Three systems come in: CGCS2000 and WGS-84 (the same for our purpose: they differ by centimetres) and GCJ-02, which the
maps of mainland phones use and which lies 300-600 m away. Everything inside compares GCJ-02 in integer micro-degrees.
"""

from __future__ import annotations

import math

import msgspec

from banyan.kernel.refusal import Refused

GCJ, CGCS, WGS = "GCJ-02", "CGCS2000", "WGS-84"
CONVERSION_ERROR_M = 1
"""What converting may add to the accuracy, in metres; the iteration itself ends below a micro-degree."""
MICRO = 1_000_000
CELL_M = 1_000
METRES_A_DEGREE = 111_320
_AXIS_M = 6_378_245.0  # Krasovsky 1940, which the published GCJ-02 formula takes
_ECCENTRICITY_2 = 0.00669342162296594323
_BOUNDS = (72.004, 137.8347, 0.8293, 55.8271)  # west, east, south, north: outside of it GCJ-02 equals WGS-84


class Point(msgspec.Struct, frozen=True):
    """A point as received: degrees, the system they are in, how far off it may be in metres, and who said so."""

    longitude: float
    latitude: float
    crs: str
    accuracy_m: int
    source: str


class Spot(msgspec.Struct, frozen=True):
    """A point for reckoning: GCJ-02 in integer micro-degrees, with the accuracy that is left in metres."""

    longitude_udeg: int
    latitude_udeg: int
    accuracy_m: int


def check_point(point: Point) -> Point:
    """The point as received. Refuses `place_format`: an unknown system, degrees off the globe, a negative accuracy."""
    finite = math.isfinite(point.longitude) and math.isfinite(point.latitude)
    on_globe = finite and abs(point.longitude) <= 180 and abs(point.latitude) <= 90
    if point.crs not in {GCJ, CGCS, WGS} or not on_globe or point.accuracy_m < 0:
        raise Refused("place_format", crs=point.crs[:20])
    return point


def spot(point: Point) -> Spot:
    """The one conversion in: any system to GCJ-02 micro-degrees. Refuses as `check_point` does."""
    check_point(point)
    longitude, latitude, error_m = point.longitude, point.latitude, 0
    if point.crs != GCJ:
        longitude, latitude = _to_gcj(longitude, latitude)
        error_m = CONVERSION_ERROR_M
    return Spot(round(longitude * MICRO), round(latitude * MICRO), point.accuracy_m + error_m)


def point_from(spot: Spot, crs: str, source: str) -> Point:
    """The one conversion out: GCJ-02 to the system asked for, the added error declared. Refuses `place_format`."""
    longitude, latitude = spot.longitude_udeg / MICRO, spot.latitude_udeg / MICRO
    if crs == GCJ:
        return Point(longitude, latitude, crs, spot.accuracy_m, source)
    longitude, latitude = _from_gcj(longitude, latitude)
    return check_point(Point(longitude, latitude, crs, spot.accuracy_m + CONVERSION_ERROR_M, source))


def coarse_cell(point: Point) -> Spot:
    """The middle of the cell of about 1 km by 1 km that the point lies in: what a worker sees before accepting.

    Cells are fixed, so asking again for the same house tells nothing more; the accuracy covers the whole cell."""
    exact = spot(point)
    row_udeg = CELL_M * MICRO // METRES_A_DEGREE
    latitude = _middle(exact.latitude_udeg, row_udeg)
    width_udeg = round(row_udeg / max(math.cos(math.radians(latitude / MICRO)), 0.01))
    half_diagonal_m = math.ceil(CELL_M / math.sqrt(2))
    return Spot(_middle(exact.longitude_udeg, width_udeg), latitude, half_diagonal_m + exact.accuracy_m)


def _middle(value: int, step: int) -> int:
    return value // step * step + step // 2


def _to_gcj(longitude: float, latitude: float) -> tuple[float, float]:
    """WGS-84 to GCJ-02 by the formula in public use (the official one is not published)."""
    west, east, south, north = _BOUNDS
    if not (west <= longitude <= east and south <= latitude <= north):
        return longitude, latitude
    x, y = longitude - 105.0, latitude - 35.0
    east_m, north_m = _shift_m(x, y)
    phi = math.radians(latitude)
    curve = 1 - _ECCENTRICITY_2 * math.sin(phi) ** 2
    north_radius = _AXIS_M * (1 - _ECCENTRICITY_2) / (curve * math.sqrt(curve))
    east_radius = _AXIS_M / math.sqrt(curve) * math.cos(phi)
    return longitude + math.degrees(east_m / east_radius), latitude + math.degrees(north_m / north_radius)


def _shift_m(x: float, y: float) -> tuple[float, float]:
    """The shift east and north in metres at x degrees from 105 E and y degrees from 35 N."""
    root = math.sqrt(abs(x))
    both = _waves(20, (6 * x, 2 * x))
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += both + _waves(20, (x,)) + _waves(40, (x / 3,)) + _waves(150, (x / 12,)) + _waves(300, (x / 30,))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += both + _waves(20, (y,)) + _waves(40, (y / 3,)) + _waves(160, (y / 12,)) + _waves(320, (y / 30,))
    return east, north


def _waves(height: float, halves: tuple[float, ...]) -> float:
    return sum(height * math.sin(half * math.pi) for half in halves) * 2 / 3


def _from_gcj(longitude: float, latitude: float) -> tuple[float, float]:
    """GCJ-02 to WGS-84 by iteration: four rounds leave less than a micro-degree."""
    guess = (longitude, latitude)
    for _ in range(4):
        there = _to_gcj(*guess)
        guess = (guess[0] + longitude - there[0], guess[1] + latitude - there[1])
    return guess
