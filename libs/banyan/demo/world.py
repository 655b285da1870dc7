"""The generated people and calls for help of the demo, from a printed seed; divisions and centres are the real ones."""

from __future__ import annotations

import csv
import datetime as dt
import importlib
import io
import random
from dataclasses import dataclass
from typing import Any

from banyan.kernel.codes import CODES
from banyan.kernel.divisions import Division, prefix
from banyan.testkit.people import people

PROVINCE = "350000000000"
COUNTY = "350121000000"  # 闽侯县
SPREAD_UDEG = 60_000  # generated points lie within about 6 km of their county's centre
HEADER = (
    "name", "document_kind", "document_number", "sex", "birth_date", "phone", "division", "home_division", "education",
    "political_status", "employer_kind", "post", "community_worker", "fields", "languages", "weekly_capacity",
    "talent_basis", "talent_evidence", "level", "certificate_number", "passed_on", "registered_from",
)  # fmt: skip
FIRST_PERIOD = dt.date(2024, 6, 1)
SIZES = {"county": (COUNTY, 400, 60, 60), "province": (PROVINCE, 70_000, 5_000, 5_000)}
OPEN_FIELDS = ("welfare", "assistance", "community", "family", "disability", "education", "employment", "health")


@dataclass
class World:
    """What the demo puts into the platform."""

    size: str
    seed: int
    area: str
    divisions: list[Division]
    centres: dict[str, tuple[int, int]]  # county code → longitude, latitude in micro-degrees (GCJ-02)
    professionals: int
    assigned: int
    requests: int

    @property
    def villages(self) -> list[Division]:
        """The villages of the area."""
        stem = prefix(self.area)
        return [d for d in self.divisions if d.level == "village" and d.code.startswith(stem) and d.countable]

    def rows(self) -> list[dict[str, Any]]:
        """All professionals as the columns of an import file; generated, and marked so in their evidence."""
        villages = [village.code for village in self.villages]
        return [_row(person) for person in people(self.seed, self.professionals, villages)]

    def point(self, draw: random.Random, division: str) -> tuple[int, int]:
        """A generated point near the county's centre, in micro-degrees."""
        county = division[:6] + "000000"
        lon, lat = self.centres.get(county) or self.centres[division[:4] + "00000000"]
        return lon + draw.randint(-SPREAD_UDEG, SPREAD_UDEG), lat + draw.randint(-SPREAD_UDEG, SPREAD_UDEG)


def build(size: str, seed: int) -> World:
    """The world of a size: county or province."""
    data = importlib.import_module("services.identity.data")
    area, professionals, assigned, requests = SIZES[size]
    found = [(c.code, c.longitude, c.latitude) for c in data.centres()]
    standing = [d for d in data.divisions() if d.until_on is None]
    centres = {code: (round(lon * 1e6), round(lat * 1e6)) for code, lon, lat in found}
    return World(size, seed, area, standing, centres, professionals, assigned, requests)


def _row(person: dict[str, Any]) -> dict[str, Any]:
    """One line of the import file; everyone has a basis, so that a county can approve them."""
    row = {name: person.get(name) for name in HEADER}
    held = person.get("certificate") or {}
    row |= {"level": held.get("level"), "certificate_number": held.get("number"), "passed_on": held.get("passed_on")}
    row["division"] = row["division"] or person["home_division"]
    row["home_division"] = person["home_division"]
    if not row["level"] and (row["talent_basis"] in (None, "none", "certificate")):
        row["talent_basis"] = "trained"
    row["talent_evidence"] = row["talent_evidence"] or "演示数据（生成）"
    row["registered_from"] = _registered_from(row["passed_on"]) if person["registered"] and row["passed_on"] else None
    return row


def _registered_from(passed_on: dt.date) -> dt.date:
    """Old certificates are in a later period: its first day is generated too, so that it has not run out yet."""
    return max(passed_on, FIRST_PERIOD + dt.timedelta(days=passed_on.toordinal() % 600))


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """The import file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in HEADER])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, (tuple, list)):
        return "、".join(value)
    return str(value)


def assignment(world: World, draw: random.Random, person: dict[str, Any]) -> dict[str, Any]:
    """A service assignment of a person: fields, weekly capacity, slots; the area is the person's county, or for one
    in four the town alone, with cross-area support elsewhere."""
    lon, lat = world.point(draw, person["division"])
    fields = {code: draw.choice((1, 2, 2, 3)) for code in draw.sample(OPEN_FIELDS, 3)}
    near = draw.random() < 0.25
    division = person["division"]
    return {
        "person_id": person["id"],
        "host_kind": "station",
        "host_id": f"s-{division[:9]}",
        "division": division,
        "area": division[:9] + "000" if near else division[:6] + "000000",
        "longitude_udeg": lon,
        "latitude_udeg": lat,
        "fields": fields,
        "weekly_capacity": draw.randint(2, 6),
        "slots": sorted(draw.sample(range(21), 12)),
        "cross_area": near or draw.random() < 0.2,
    }


def request(world: World, draw: random.Random) -> dict[str, Any]:
    """One call for help of the crowd."""
    village = draw.choice(world.villages)
    lon, lat = world.point(draw, village.code)
    return {
        "division": village.code,
        "purpose": "社会工作服务",
        "legal_basis": "consent",
        "notice_version": "2026-01",
        "consent": "consent-demo",
        "client_group": draw.choice(sorted(CODES["client_group"])),
        "field": draw.choice(OPEN_FIELDS),
        "functions": [draw.choice(sorted(CODES["function"]))],
        "urgency": draw.choice((0, 1, 1, 1, 2)),
        "client_name": f"演示居民{draw.randint(1000, 9999)}",
        "point": {"lon_udeg": lon, "lat_udeg": lat, "crs": "GCJ-02", "accuracy_m": 500, "source": "生成"},
        "slots": sorted(draw.sample(range(21), 8)),
    }
