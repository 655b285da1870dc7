"""Reference data that seeds identity: divisions, centres, working days. Sources and licences stand in SOURCE.md."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib import resources
from typing import NamedTuple

from banyan.kernel.divisions import Division, Tree
from banyan.kernel.workdays import Calendar

WORKDAYS_KNOWN_FROM = date(2004, 1, 1)
WORKDAYS_KNOWN_UNTIL = date(2026, 12, 31)


class Centre(NamedTuple):
    """The centre of a province, city or county, degrees in GCJ-02."""

    code: str
    name: str
    longitude: float
    latitude: float


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("services.identity.data").joinpath(name).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def divisions() -> Iterator[Division]:
    """Every version of every division of Fujian, parents before children."""
    for row in _rows("divisions.csv"):
        yield Division(
            code=row["code"],
            parent_code=row["parent_code"],
            level=row["level"],
            name=row["name"],
            countable=row["countable"] == "1",
            kind=row["kind"],
            from_on=_day(row["from"]),
            until_on=_day(row["until"]),
            successors=tuple(row["successors"].split()),
            reports_to=row["reports_to"],
        )


def villages() -> list[str]:
    """The codes of the villages that stand and count."""
    return [d.code for d in divisions() if d.level == "village" and d.countable and d.until_on is None]


@cache
def tree() -> Tree:
    """The seeded tree, built once a process; a service's own copy from identity's events replaces it when it runs."""
    return Tree(divisions())


def centres() -> tuple[Centre, ...]:
    """The centres of the province, its cities and counties."""
    return tuple(
        Centre(r["code"], r["name"], float(r["longitude"]), float(r["latitude"])) for r in _rows("centres.csv")
    )


@cache
def calendar() -> Calendar:
    """The seeded mainland calendar; the State Council's next list extends it by command."""
    exceptions = {date.fromisoformat(row["on"]): row["workday"] == "1" for row in _rows("workdays.csv")}
    return Calendar(exceptions, WORKDAYS_KNOWN_FROM, WORKDAYS_KNOWN_UNTIL)
