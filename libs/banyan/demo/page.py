"""The demo's page: one template filled on the spot, so that it needs no script and no outside address to be read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import resources
from typing import Any

from mako.template import Template  # type: ignore[import-untyped]

from banyan.demo import words
from banyan.kernel.divisions import level

STEMS = "甲乙丙丁戊己庚辛壬癸"
MAP_WIDTH, MAP_EDGE, BUBBLE_MOST, LABEL_HEIGHT, GLYPH = 400, 56, 40, 16, 14
TILE_MOST = 40


def render(found: dict[str, Any]) -> str:
    """A report as a page. Everything that comes from data is escaped by the template's default filter."""
    template = Template(_part("report.html"), default_filters=["h"], strict_undefined=True)
    area = found["area"]["code"]
    below = [place for place in found["places"] if place["division"] != area]
    page = template.render(
        r=found,
        w=words,
        names=found.get("names", {}) | {place["division"]: place["name"] for place in found["places"]},
        actors=actors(found),
        runs=runs,
        workers=workers(found["example"]),
        steps=list(timeline(found["example"])),
        scenes={scene["scene"]: scene for scene in found["scenes"]},
        own=[place for place in found["places"] if place["division"] == area],
        below=below,
        bubbles=bubbles(below),
        tile=tile(below),
        style=_part("report.css"),
        script=_part("report.js"),
    )
    return str(page)


def _part(name: str) -> str:
    return resources.files("banyan.demo").joinpath(name).read_text("utf-8")


def workers(example: dict[str, Any]) -> dict[str, str]:
    """A short name for each worker of the example by id, in the order in which the page meets them: 社工甲, 社工乙."""
    met = [offer["worker_id"] for offer in example["view"]["offers"]]
    for asked in example["why_not"]:
        met += [asked["worker_id"], *(one["worker_id"] for one in asked["ahead"])]
    met += [one["worker_id"] for one in (*example["view"]["candidates"], *example["ranking"]["items"])]
    return {id: f"社工{STEMS[at] if at < len(STEMS) else at + 1}" for at, id in enumerate(dict.fromkeys(met))}


def timeline(example: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What happened to the case, in order: each step's title, instant, who did it, and the offer where it is one.

    Steps between offers are found in the audit trail (`looks`); without one they stay away.
    """
    view = example["view"]
    steps = [_step("接案", view["taken_at"], _actor(example, "take_request"))]
    for method, title in (
        ("triage_request", "预估"),
        ("start_service", "服务"),
        ("complete_service", "结案"),
        ("follow_up", "回访"),
    ):
        steps += [_step(title, look["at"], look) for look in _done(example, method)]
    for number, offer in enumerate(view["offers"], 1):
        title = "派单" if number == 1 else "改派"
        steps.append(_step(title, offer["made_at"], _actor(example, "confirm_dispatch", number), offer=offer))
        if offer["answer"]:
            title = {"declined": "退单", "expired": "逾期", "accepted": "接单"}.get(
                offer["answer"], words.ANSWERS.get(offer["answer"], offer["answer"])
            )
            steps.append(_step(title, offer["answered_at"], None, answered=offer))
    yield from sorted(steps, key=lambda step: str(step["at"]))


def _step(title: str, at: str, look: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"title": title, "at": at, "look": look, "offer": None, "answered": None} | more


def _done(example: dict[str, Any], method: str) -> list[dict[str, Any]]:
    return [look for look in example.get("looks", ()) if look["method"] == method and look["outcome"] == "done"]


def _actor(example: dict[str, Any], method: str, number: int = 1) -> dict[str, Any] | None:
    """The line of the audit trail for the n-th time that a command was done, where there is one."""
    found = _done(example, method)
    return found[number - 1] if number <= len(found) else None


def actors(found: dict[str, Any]) -> dict[str, str]:
    """The title of each account; whoever asked for help in the example is its client."""
    asked = _actor(found["example"], "take_request")
    client = {asked["actor"]: "求助人"} if asked else {}
    return {**found.get("actors", {}), **client}


def runs(looks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The audit trail with equal lines that follow each other told once: `times`, and the last one's instant `until`."""
    same = ("actor", "method", "outcome", "reason", "fields")
    told: dict[str, Any] | None = None
    for look in looks:
        if told is not None and all(told[name] == look[name] for name in same):
            told |= {"times": told["times"] + 1, "until": look["at"]}
            continue
        if told is not None:
            yield told
        told = look | {"times": 1, "until": look["at"]}
    if told is not None:
        yield told


def bubbles(places: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Circles on a plane from centres, their area by requests taken; None where not every place has a centre."""
    if not places or any(place["lon_udeg"] is None for place in places):
        return None
    middle = math.radians(sum(place["lat_udeg"] for place in places) / len(places) / 1e6)
    spots = [(place["lon_udeg"] * math.cos(middle), place["lat_udeg"]) for place in places]
    left, top = min(x for x, _ in spots), max(y for _, y in spots)
    wide = max(max(x for x, _ in spots) - left, 1)
    scale = (MAP_WIDTH - 2 * MAP_EDGE) / wide
    most = max(place["requests"]["taken"] for place in places) or 1
    circles = []
    for place, (x, y) in zip(places, spots, strict=True):
        circles.append(
            {
                "place": place,
                "x": round(MAP_EDGE + (x - left) * scale, 1),
                "y": round(MAP_EDGE + (top - y) * scale, 1),
                "r": round(max(BUBBLE_MOST * math.sqrt(place["requests"]["taken"] / most), 2), 1),
            }
        )
    _label(circles)
    height = max(max(c["y"] + c["r"], c["label_y"] + LABEL_HEIGHT * 2) for c in circles) + LABEL_HEIGHT
    return {"width": MAP_WIDTH, "height": round(height), "circles": sorted(circles, key=lambda c: -c["r"])}


def _label(circles: list[dict[str, Any]]) -> None:
    """Two lines under each centre, moved down until they lie on no other label."""
    taken: list[tuple[float, float]] = []
    for circle in sorted(circles, key=lambda c: c["y"]):
        y = circle["y"] - 2
        while any(abs(circle["x"] - x) < GLYPH * 5 and abs(y - other) < LABEL_HEIGHT * 2 for x, other in taken):
            y += LABEL_HEIGHT / 2
        taken.append((circle["x"], y))
        circle["label_y"] = round(y, 1)


def tile(places: list[dict[str, Any]]) -> dict[str, float]:
    """The side of each place's square, in percent of the largest, its area by requests taken."""
    most = max((place["requests"]["taken"] for place in places), default=0) or 1
    return {p["division"]: round(TILE_MOST * math.sqrt(p["requests"]["taken"] / most), 1) for p in places}


def tier(code: str) -> str:
    """What the places below an area are called."""
    return {"province": "设区市", "city": "县（市、区）", "county": "乡镇（街道）", "town": "村（社区）"}.get(
        level(code), "下级"
    )
