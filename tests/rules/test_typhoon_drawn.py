"""What the typhoon page draws and says in its tables is what its report says."""

from __future__ import annotations

import re

import numpy as np

from services.matching.optimum.check import OPTIMAL
from services.matching.typhoon.page import RADIUS
from tests.typhoon import made, numbers


def body(caption: str) -> str:
    """The rows of the table with a caption."""
    found = re.search(rf"<caption>{caption}</caption>.*?(<tbody>.*?)</table>", made()[1], re.DOTALL)
    assert found, caption
    return found[1]


def test_the_circles_stand_where_the_counties_lie_and_are_as_large_as_the_figures() -> None:
    known = [county for county in made()[0]["counties"] if county["lon_udeg"] is not None]
    counties = sorted(known, key=lambda county: -county["requests"])
    at = r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"/>'
    found = re.findall(rf'<circle {at}<circle class="left" {at}<circle class="still" {at}', made()[1])
    circles = np.array(found, np.float64).reshape(-1, 3, 3)
    assert len(circles) == len(counties) > 80
    assert (circles[:, :1, :2] == circles[:, :, :2]).all(), "one centre a county"
    figures = np.array([(c["requests"], c["unserved"]["first_come"], c["unserved"]["optimum"]) for c in counties])
    radii = RADIUS * np.sqrt(figures / figures.max())
    assert np.abs(circles[:, :, 2] - radii).max() <= 0.051
    for axis, degrees in ((0, "lon_udeg"), (1, "lat_udeg")):
        lies, stands = np.array([county[degrees] for county in counties]), circles[:, 0, axis]
        straight = np.polynomial.Polynomial.fit(lies, stands, 1)
        assert np.abs(straight(lies) - stands).max() < 0.2 and (straight.deriv()(0) > 0) == (axis == 0)
    groups = re.findall(r'<g class="(wide|narrow)">(.*?)</g>', made()[1], re.DOTALL)
    labels = {window: re.findall(r'<text x="([\d.]+)" y="[\d.]+">(.*?)</text>', found) for window, found in groups}
    places = {county["name"]: circle[0, 0] for county, circle in zip(counties, circles, strict=True)}
    assert len(labels["wide"]) > len(labels["narrow"]) > 5, "on a phone the names are larger and fewer"
    assert all(places[name] == float(x) for found in labels.values() for x, name in found)


def test_the_tables_and_the_headline_say_the_reports_figures() -> None:
    report = made()[0]
    rows = [
        (county["name"], *(number for n in said for number in (str(n), f"{n:,}")))
        for county in report["counties"]
        for left in [county["unserved"]]
        for said in [(county["requests"], *left.values(), left["first_come"] - left["optimum"])]
    ]
    cell = r'<td class="n" data-value="(-?\d+)">(-?[\d,]+)</td>'
    assert re.findall(rf'<th scope="row">(.*?)</th>{cell * 4}', body("同样的数字，点列名可排序")) == rows
    headline = re.search(r"</h1>\s*<p>(.*?)</p>", made()[1], re.DOTALL)
    served, many = report["served"], report["requests"]
    assert headline and re.findall(r"[\d,.]*\d", headline[1]) == [
        *(f"{n:,}" for n in (many, report["workers"], report["places"])),
        *(said for n in served.values() for said in (f"{n:,}", f"{100 * n / many:.1f}")),
        f"{served['optimum'] - served['first_come']:,}",
    ]
    whole = re.search(r"全省：(.*?)。", made()[1])
    assert whole and numbers(whole[1]) == [report[name] for name in ("pairs", "objective", "bound", "gap")]
    assert "已证明最优" in whole[1] and report["status"] == OPTIMAL


def test_the_bars_are_as_long_as_the_reports_figures() -> None:
    report = made()[0]
    tables = {
        "按紧急程度派出": ("urgency", "served"),
        "按已等待日数派出": ("waited", "served"),
        "派出的距离": ("distance", "served"),
        "派出后社工的名额已用": ("load", "workers"),
    }
    for caption, (part, of) in tables.items():
        figures = [n for row in report[part] for n in row[of].values()]
        bars = re.findall(r'class="fill" width="([\d.]+)".*?<td class="n">([\d,]+)</td>', body(caption))
        assert [int(said.replace(",", "")) for _, said in bars] == figures
        assert [float(width) for width, _ in bars] == [round(100 * n / max(figures), 2) for n in figures]
        parts = [(n, row["requests"]) for row in report[part] if "requests" in row for n in row[of].values()]
        shares = re.findall(r'<td class="n">([\d.]+%|—)</td>', body(caption))
        assert shares == [f"{100 * n / many:.1f}%" if many else "—" for n, many in parts]
