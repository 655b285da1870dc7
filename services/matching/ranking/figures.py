"""The figures that rules and terms need. The caller gives them (policy data); none stands in this code."""

from __future__ import annotations

from dataclasses import dataclass, fields

POINTS_LIMIT = 1_000_000
"""The most points a figure may give, so that every product stays far inside 63 bits."""
REACH_LIMIT_M = 1 << 22
"""The longest limit in metres, so that squares of distances stay exact in float64."""
DEGREE_UDEG = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one state of policy. Points are whole; limits are metres, one for each field, in field order."""

    proficiency_1_points: int
    proficiency_2_points: int
    proficiency_3_points: int
    nearest_points: int
    all_free_points: int
    earlier_points: int
    asked_language_points: int
    exact_level_points: int
    slot_points: int
    slots_most_points: int
    offered_points: int
    """Only in a run: what an offer out has on top where it is, so the least gain for which it is moved."""
    limits_m: tuple[int, ...]
    far_urgency: int
    """From this urgency on the limit is longer."""
    far_times_percent: int
    """How much longer, in percent: 150 is one and a half times."""

    def __post_init__(self) -> None:
        """Refuses (ValueError) figures that are negative, not whole, or out of bounds."""
        for each in fields(self):
            values = getattr(self, each.name)
            for value in values if isinstance(values, tuple) else (values,):
                if type(value) is not int or not 0 <= value <= max(POINTS_LIMIT, REACH_LIMIT_M):
                    raise ValueError(f"{each.name}: {value!r} is not a whole number in its bounds")
        longest = max(self.limits_m, default=0) * max(100, self.far_times_percent) // 100
        if not self.limits_m or min(self.limits_m) < 1 or longest > REACH_LIMIT_M or self.far_times_percent < 1:
            raise ValueError(
                f"limits_m: every field needs a limit of 1 m to {REACH_LIMIT_M} m, the longer one included"
            )

    @property
    def fields(self) -> int:
        """How many fields there are; a field is its place in `limits_m`, from 0."""
        return len(self.limits_m)

    def limit_m(self, field: int, urgency: int) -> int:
        """How far a worker of a field may come, in metres, rounded down; at least 1."""
        near = self.limits_m[field]
        return max(1, near * self.far_times_percent // 100) if urgency >= self.far_urgency else near


@dataclass(frozen=True, slots=True)
class Plane:
    """A flat map of the province: GCJ-02 micro-degrees to whole metres by two fixed scales (equirectangular).

    `x_um` and `y_um` are micrometres for one micro-degree of longitude and latitude. East-west is exact on the parallel
    the scale was taken for; 2.4 degrees of latitude away it is about 2 % off, which is a kilometre in 50.
    """

    origin_lon_udeg: int
    origin_lat_udeg: int
    x_um: int
    y_um: int

    def metres(self, lon_udeg: int, lat_udeg: int) -> tuple[int, int]:
        """Whole metres east and north of the origin, rounded down."""
        east = (lon_udeg - self.origin_lon_udeg) * self.x_um // DEGREE_UDEG
        north = (lat_udeg - self.origin_lat_udeg) * self.y_um // DEGREE_UDEG
        return east, north


FUJIAN = Plane(origin_lon_udeg=115_800_000, origin_lat_udeg=23_500_000, x_um=100_026, y_um=111_195)
"""Fujian, true on 25.9 N: 111,195 m a degree of latitude, times cos 25.9 = 100,026 m a degree of longitude."""
