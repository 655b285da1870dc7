"""Where a request is: its own point, else the centre of its county; and what of it may be shown before acceptance."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec.structs import replace

from banyan.contracts.matching_shapes import Point
from banyan.kernel import places
from banyan.kernel.divisions import ancestors
from banyan.kernel.personal import Private

BLOCK_UDEG, BLOCK_M = 1000, 80
CENTRE_ACCURACY_M = 20_000
CENTRE = "centre"


@cache
def _centres() -> dict[str, Point]:
    """Centres of province, cities and counties (GCJ-02); the source is the divisions' own reference data."""
    text = resources.files("services.matching.domain").joinpath("centres.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["code"]: _centre(float(row["longitude"]), float(row["latitude"])) for row in rows}


def _centre(longitude: float, latitude: float) -> Point:
    lon_udeg, lat_udeg = round(longitude * places.MICRO), round(latitude * places.MICRO)
    return Point(lon_udeg=lon_udeg, lat_udeg=lat_udeg, accuracy_m=CENTRE_ACCURACY_M, source=CENTRE)


def centre(division: str) -> Point | None:
    """The centre of the nearest division above (itself first) whose centre is known."""
    known = _centres()
    return next((known[code] for code in (division, *ancestors(division)) if code in known), None)


def reckoned(point: Point | None, division: str) -> Point | None:
    """The point to reckon distances from, in GCJ-02: the one given, converted, else the county's centre."""
    if point is None:
        return centre(division)
    spot = places.spot(_received(point))
    return Point(
        lon_udeg=spot.longitude_udeg, lat_udeg=spot.latitude_udeg, accuracy_m=spot.accuracy_m, source=point.source
    )


def kept(point: Point | None) -> dict[str, Any]:
    """How a home's place is kept: `spot`, sealed, as received; `point`, to a thousandth of a degree (about 100 m), to
    reckon distances from. Refuses `place_format` for an unknown system or degrees off the globe."""
    if point is None:
        return {"point": None, "spot": None}
    places.check_point(_received(point))
    return {"point": _block(point), "spot": Private(msgspec.json.encode(point).decode(), kind="address")}


def _block(point: Point) -> Point:
    lon, lat = (round(value / BLOCK_UDEG) * BLOCK_UDEG for value in (point.lon_udeg, point.lat_udeg))
    return replace(point, lon_udeg=lon, lat_udeg=lat, accuracy_m=point.accuracy_m + BLOCK_M)


def opened(spot: str | None) -> Point | None:
    """The place as it was received, once its seal is opened."""
    return msgspec.json.decode(spot, type=Point) if spot else None


def ended(point: Point | None) -> Point | None:
    """What stays unsealed of a place when nobody has to go there any more: the middle of its 1 km cell."""
    if point is None:
        return None
    middle = places.coarse_cell(_received(point))
    return Point(
        lon_udeg=middle.longitude_udeg, lat_udeg=middle.latitude_udeg, accuracy_m=middle.accuracy_m, source=point.source
    )


def cell(point: Point | None) -> str | None:
    """The 1 km cell that holds the point, as "longitude,latitude" of its middle in micro-degrees."""
    if point is None:
        return None
    middle = places.coarse_cell(_received(point))
    return f"{middle.longitude_udeg},{middle.latitude_udeg}"


def _received(point: Point) -> places.Point:
    longitude, latitude = point.lon_udeg / places.MICRO, point.lat_udeg / places.MICRO
    return places.Point(longitude, latitude, point.crs, point.accuracy_m, point.source)
