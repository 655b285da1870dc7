"""The policy options of a matching run: load bands and a floor, as the figures in force say them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused

WHOLE = 100
BAND = 2  # from percent, points


class Options(NamedTuple):
    """`bands`: from how many percent of a worker's places on a further one costs how many points, both ascending; none without.
    `floor_percent`: of each county so many percent of the requests are to be served, where they can be; 0 without."""

    bands: tuple[tuple[int, int], ...]
    floor_percent: int


def options(context: Context, division: str) -> Options:
    """What is in force today in a division; refuses `figure_unusable` where somebody set what is no such option, so that the officer
    hears it who orders the run, and no run waits for a value that never comes."""
    bands, floor = (context.figure(name, division=division) for name in ("run_load_bands", "run_floor_percent"))
    if not _are_bands(bands):
        raise Refused("figure_unusable", figure="run_load_bands", value=bands, division=division)
    if not _is_percent(floor):
        raise Refused("figure_unusable", figure="run_floor_percent", value=floor, division=division)
    return Options(tuple((percent, points) for percent, points in bands), floor)


def _are_bands(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and all(isinstance(band, (list, tuple)) and len(band) == BAND for band in value)
        and all(_is_percent(percent) and _is_whole(points) for percent, points in value)
        and all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(value))
    )


def _is_percent(value: Any) -> bool:
    return _is_whole(value) and value <= WHOLE


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0
