"""The demo's report: what is counted, taken from the platform itself, and the page that shows it."""

from __future__ import annotations

import json
import re
from typing import Any

from banyan.cli.laptop import Laptop
from banyan.demo import page
from banyan.demo.crowd import DONE, Crowd
from banyan.demo.stage import Stage
from banyan.demo.story import Story
from banyan.demo.world import World
from banyan.kernel.divisions import ancestors


def collect(stage: Stage, story: Story, crowd: Crowd, laptop: Laptop) -> dict[str, Any]:
    """Every request is asked for once more, so that no number is the demo's own word only."""
    world, api = stage.world, stage.api
    ids = [*story.ids, *crowd.ids]
    look = (lambda id=id: api.ask(stage[_who(id, story)], "matching", "request_detail", request_id=id) for id in ids)
    views = []
    for number, view in enumerate(api.all_of(look), 1):
        views.append(view)
        stage.progress("核对每一件个案", number, len(ids))
    served = [v for v in views if v["worker_id"] and v["state"] in DONE]
    closed = [v for v in views if v["ending"] and v["ended_reason"]]
    area = world.area
    people = api.ask(stage["analyst"], "insight", "people", division=area)
    requests = api.ask(stage["analyst"], "insight", "request_figures", division=area)
    loads = api.ask(stage["analyst"], "insight", "loads", division=area)
    return {
        "seed": world.seed,
        "size": world.size,
        "area": {"code": area, "name": next(d.name for d in world.divisions if d.code == area)},
        "divisions": len(world.divisions) if world.size == "province" else _below(world),
        "professionals": len(stage.people),
        "assigned": len(stage.workers),
        "requests": len(ids),
        "served": len(served),
        "closed_with_reason": len([v for v in closed if v not in served]),
        "served_after_decline": len([v for v in served if _declined(v)]),
        "escalated": len(story.escalated),
        "dropped": len([v for v in views if not v["holder"] and not (v["ending"] and v["ended_reason"])]),
        "open": len([v for v in views if v["holder"] and v not in served]),
        "wait_minutes_p50": requests["all"]["waits"]["p50"],
        "example": story.example | {"looks": _looks(stage, story.example["view"])},
        "scenes": story.scenes,
        "figures": {"people": people, "requests": requests, "loads": loads},
        "figures_agree": requests["all"]["figures"]["taken"] == len(ids),
        "places": _places(world, requests, people),
        "names": _names(world, [story.example["view"], story.scenes]),
        "actors": {actor.account: actor.title for actor in stage.actors.values()},
        "calls": {"http": api.calls, "repeated": api.repeated, "refused": dict(crowd.refusals)},
        "rss_mb": laptop.rss_mb(),
        "step_seconds": stage.seconds,
        "urls": {"gateway": laptop.url, "report": str(laptop.folder / "report.html")},
        "login": {"username": "registrar", "password": stage["registrar"].password},
    }


def _who(id: str, story: Story) -> str:
    """Who may see a case: the protected one only its receiver."""
    protected = {scene["request_id"] for scene in story.scenes if scene["scene"] == "受保护个案"}
    return "duty1" if id in protected else "lead"


def _declined(view: dict[str, Any]) -> bool:
    return any(offer["answer"] in ("declined", "expired") for offer in view["offers"])


def _below(world: World) -> int:
    stem = world.area.rstrip("0")
    return sum(d.code.startswith(stem) for d in world.divisions)


def _places(world: World, requests: dict[str, Any], people: dict[str, Any]) -> list[dict[str, Any]]:
    """For the schematic: each division below with its centre, where it has one, and its figures."""
    by_people = {line["division"]: line["figures"] for line in people["below"]}
    found = []
    for line in requests["below"]:
        spot = world.centres.get(line["division"])
        found.append(
            {
                "division": line["division"],
                "name": line["name"],
                "lon_udeg": spot[0] if spot else None,
                "lat_udeg": spot[1] if spot else None,
                "requests": line["figures"],
                "people": by_people.get(line["division"], {}),
            }
        )
    return found


def _looks(stage: Stage, view: dict[str, Any]) -> list[dict[str, Any]]:
    """Every line of the audit trail on the case and on its client, oldest first; a worker by the id that offers name."""
    workers = {actor.account: id for id, actor in stage.workers.items()}
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for subject in filter(None, (view["id"], view["client_id"])):
        for look in stage.api.ask(stage["auditor"], "matching", "who_looked", person_id=subject)["items"]:
            key = (look["at"], look["actor"], look["method"])
            fields = sorted({*look["fields"], *found.get(key, {}).get("fields", ())})
            found[key] = look | {"fields": fields, "worker_id": workers.get(look["actor"])}
    return [found[key] for key in sorted(found)]


def _names(world: World, told: Any) -> dict[str, str]:
    """The names of all divisions that a story tells of, and of what they lie in."""
    codes = set(re.findall(r'"(\d{12})"', json.dumps(told)))
    codes |= {above for code in codes for above in ancestors(code)}
    return {d.code: d.name for d in world.divisions if d.code in codes}


def html(found: dict[str, Any]) -> str:
    """The page: self-contained, all of it written out, readable without scripts."""
    return page.render(found)
