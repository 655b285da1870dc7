"""The typhoon day's page: filled on the spot, no outside address; only the proof of one county is added up by script."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

from mako.template import Template  # type: ignore[import-untyped]

WIDTH, EDGE, RADIUS = 760, 60, 40
LABELS = {"wide": 13, "narrow": 26}
"""How high names are on the map, on a wide window and on a phone's, where the map is half as large and fewer have room."""


def render(report: Mapping[str, Any], proved: Mapping[str, Any]) -> str:
    """The page. Everything that comes from data is escaped by the template's default filter."""
    template = Template(_part("page.html"), default_filters=["h"], strict_undefined=True)
    style = resources.files("banyan.demo").joinpath("report.css").read_text("utf-8")
    data = json.dumps(proved, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    script = _part("page.js")
    sort = resources.files("banyan.demo").joinpath("report.js").read_text("utf-8")
    return str(
        template.render(
            r=report, proved=proved, map=circles(report["counties"]), style=style, data=data, script=script, sort=sort
        )
    )


def _part(name: str) -> str:
    return resources.files("services.matching.typhoon").joinpath(name).read_text("utf-8")


def circles(counties: list[dict[str, Any]]) -> dict[str, Any]:
    """Each county at its centre: the outer circle's area by requests, the inner ones' by who is left unserved."""
    known = [county for county in counties if county["lon_udeg"] is not None]
    middle = math.radians(sum(c["lat_udeg"] for c in known) / len(known) / 1e6)
    spots = [(c["lon_udeg"] * math.cos(middle), c["lat_udeg"]) for c in known]
    left, top = min(x for x, _ in spots), max(y for _, y in spots)
    scale = (WIDTH - 2 * EDGE) / max(1, max(x for x, _ in spots) - left)
    most = max(c["requests"] for c in known) or 1
    drawn = []
    for county, (x, y) in zip(known, spots, strict=True):
        radius = {name: RADIUS * math.sqrt(many / most) for name, many in _sizes(county).items()}
        at = {"x": round(EDGE + (x - left) * scale, 1), "y": round(EDGE + (top - y) * scale, 1)}
        drawn.append({"county": county, **at, "radius": {name: round(r, 1) for name, r in radius.items()}})
    height = max(c["y"] for c in drawn) + EDGE
    drawn.sort(key=lambda c: -c["county"]["requests"])
    return {
        "width": WIDTH,
        "height": round(height),
        "circles": drawn,
        "labels": {name: _labelled(drawn, size) for name, size in LABELS.items()},
    }


def _labelled(drawn: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """Those whose names, written so high below their circles, lie on no other name, the most asked first."""
    kept: list[dict[str, Any]] = []
    for circle in drawn:
        at = {
            "name": circle["county"]["name"],
            "x": circle["x"],
            "y": round(circle["y"] + circle["radius"]["requests"] + size, 1),
        }
        near = (abs(at["x"] - o["x"]) < 4.5 * size and abs(at["y"] - o["y"]) < 1.2 * size for o in kept)
        if not any(near):
            kept.append(at)
    return kept


def _sizes(county: Mapping[str, Any]) -> dict[str, int]:
    return {"requests": county["requests"], **county["unserved"]}
