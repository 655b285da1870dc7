"""A typhoon day told in figures: as it comes against the optimum, by county, urgency and wait; and one county's proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from banyan.kernel.codes import CODES
from services.matching.domain.pairing import FIELDS
from services.matching.domain.place import centre
from services.matching.domain.taking import CRISIS
from services.matching.optimum.certificate import Certificate
from services.matching.optimum.check import worth
from services.matching.optimum.explain import explain
from services.matching.optimum.figures import LOAD_STEPS, loads
from services.matching.optimum.problem import NONE, SERVING, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.sweep import sweep
from services.matching.ranking.arrays import Ints
from services.matching.ranking.measures import EARLIER, QUERY, floor_sqrt
from services.matching.typhoon.day import ON, Day, policy

COMER, BEST = "first_come", "optimum"
KILOMETRES = (5, 10, 15, 20, 25, 30, 40, 60)
PROVED_MOST = 800
NEAREST, BEST_OTHERS = 4, 4
WORKER_COLUMNS = (
    "x", "y", "area", "capacity", "free", "level", "registered", "sex", "languages", "slots", "cross_area"
)  # fmt: skip


def figures(day: Day, ways: Mapping[str, Ints], names: Mapping[str, str]) -> dict[str, Any]:
    """All that the page shows of both ways of sending; `names`: of counties, by code."""
    return {
        "requests": len(day.problem),
        "workers": len(day.problem.workers),
        "places": int(day.problem.free.sum()),
        "served": {way: int((a != NONE).sum()) for way, a in ways.items()},
        "counties": _counties(day, ways, names),
        "urgency": _shares(day.urgency, ways, [CODES["urgency"].name(str(step)) for step in range(4)]),
        "waited": _shares(np.minimum(day.waited_days, 7), ways, [*(f"{n} 日" for n in range(7)), "七日以上"]),
        "distance": _distances(day.problem, ways),
        "load": _loads(day.problem, ways),
        "continuity": _continuity(day.problem, ways),
        "serving": {name: int(policy().at(name, ON)) for name in SERVING},
        "mean_score": {way: _mean_score(day.problem, a) for way, a in ways.items()},
    }


def _counties(day: Day, ways: Mapping[str, Ints], names: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for code in np.unique(day.county).tolist():
        here, spot = day.county == code, centre(str(code))
        found.append(
            {
                "code": str(code),
                "name": names[str(code)],
                "lon_udeg": spot.lon_udeg if spot else None,
                "lat_udeg": spot.lat_udeg if spot else None,
                "requests": int(here.sum()),
                "unserved": {way: int((here & (a == NONE)).sum()) for way, a in ways.items()},
            }
        )
    return found


def _shares(of: Ints, ways: Mapping[str, Ints], titles: list[str]) -> list[dict[str, Any]]:
    rows = []
    for step, title in enumerate(titles):
        here = of == step
        served = {way: int((here & (a != NONE)).sum()) for way, a in ways.items()}
        rows.append({"title": title, "requests": int(here.sum()), "served": served})
    return rows


def _distances(problem: Problem, ways: Mapping[str, Ints]) -> list[dict[str, Any]]:
    counts = {}
    for way, assigned in ways.items():
        r = np.flatnonzero(assigned != NONE)
        rows, demand = problem.workers.rows[assigned[r]], problem.demand[r]
        east, north = rows["x"] - demand["x_wanted"], rows["y"] - demand["y_wanted"]
        km = floor_sqrt(east * east + north * north) / 1000
        counts[way] = np.histogram(km, [0, *KILOMETRES])[0].tolist()
    starts = (0, *KILOMETRES)
    return [
        {"title": f"{starts[n]}–{starts[n + 1]} 公里", "served": {way: counts[way][n] for way in ways}}
        for n in range(len(KILOMETRES))
    ]


def _loads(problem: Problem, ways: Mapping[str, Ints]) -> list[dict[str, Any]]:
    counts = {way: loads(problem, assigned).tolist() for way, assigned in ways.items()}
    step = 100 // LOAD_STEPS
    return [{"title": f"{n * step}%", "workers": {way: counts[way][n] for way in ways}} for n in range(LOAD_STEPS + 1)]


def _continuity(problem: Problem, ways: Mapping[str, Ints]) -> dict[str, Any]:
    """Of requests that name somebody who served them before: how many go to that worker."""
    earlier = problem.named[(problem.named["mark"] & EARLIER) > 0]
    kept = {way: int((a[earlier["request"]] == earlier["worker"]).sum()) for way, a in ways.items()}
    return {"requests": len(np.unique(earlier["request"])), "kept": kept}


def _mean_score(problem: Problem, assigned: Ints) -> int:
    sample = np.flatnonzero(assigned != NONE)[:2000].tolist()
    return sum(explain(problem, r, int(assigned[r])).score for r in sample) // max(1, len(sample))


def proved_county(day: Day, proof: Certificate, names: Mapping[str, str]) -> dict[str, Any]:
    """One county's requests and every worker within reach of one, with prices and surpluses: what the page adds up.

    Of the counties that a page can hold, the one in which most are left unserved: there the proof has most to say.
    """
    codes, which, many = np.unique(day.county, return_inverse=True, return_counts=True)
    left = np.bincount(which[proof.assigned == NONE], minlength=len(codes))
    fitting = np.flatnonzero(many <= max(PROVED_MOST, int(many.min())))
    code = int(codes[max(fitting.tolist(), key=lambda at: (left[at], many[at], -at))])
    problem, r = day.problem, np.flatnonzero(day.county == code)
    demand, rows = problem.demand[r], problem.workers.rows
    reach = int(demand["limit_m"].max())
    near = (rows["free"] > 0) & (problem.workers.proficiency[:, np.unique(demand["field_wanted"])] > 0).any(axis=1)
    for axis in ("x", "y"):
        near &= rows[axis] >= demand[f"{axis}_wanted"].min() - reach
        near &= rows[axis] <= demand[f"{axis}_wanted"].max() + reach
    w = np.flatnonzero(near)
    at = {worker: place for place, worker in enumerate(w.tolist())}
    here = {request: place for place, request in enumerate(r.tolist())}
    assigned = proof.assigned[r]
    return {
        "name": names[str(code)],
        "workers": {name: rows[name][w].tolist() for name in WORKER_COLUMNS}
        | {"proficiency": problem.workers.proficiency[w].tolist(), "price": proof.prices[w].tolist()},
        "requests": {name: demand[name].tolist() for name in QUERY.names or ()}
        | {
            "line": problem.lines[r].tolist(),
            "serving": problem.serving[r].tolist(),
            "surplus": proof.surplus[r].tolist(),
            "assigned": [at.get(worker, -1) for worker in assigned.tolist()],
        },
        "named": [
            [here[request], at[worker], mark]
            for request, worker, mark in problem.named.tolist()
            if request in here and worker in at
        ],
    }


def story(day: Day, proof: Certificate, comer: Ints, names: Mapping[str, str]) -> dict[str, Any]:
    """One family: urgent, long waiting, left without anybody where requests are answered as they come, served here; if there is
    one, of those whom several could serve.

    Beside its worker stand the nearest ones and those by whom it would gain most otherwise, each with why not.
    """
    problem, assigned = day.problem, proof.assigned
    served = (assigned != NONE) & (day.urgency < CRISIS)
    helped = np.flatnonzero(served & (comer == NONE))
    if not len(helped):
        helped = np.flatnonzero(served)
    helped = _with_a_choice(problem, helped)
    r = int(helped[np.argmax(problem.serving[helped])])
    w = int(assigned[r])
    chosen = explain(problem, r, w)
    others = []
    rows, demand = problem.workers.rows, problem.demand[r]
    square = (rows["x"].astype(np.int64) - demand["x_wanted"]) ** 2 + (rows["y"] - demand["y_wanted"]) ** 2
    _, able, value = worth(problem, np.full(len(rows), r), np.arange(len(rows)))
    near = np.argsort(square, kind="stable")[:NEAREST].tolist()
    good = able[np.lexsort((able, proof.prices[able] - value))][: BEST_OTHERS + 1].tolist()
    for other in dict.fromkeys((*near, *good)):
        if other != w:
            told = explain(problem, r, other)
            gain = int(problem.serving[r]) + told.score - int(proof.prices[other])
            others.append(
                {
                    "distance_m": int(floor_sqrt(square[other : other + 1])[0]),
                    "broken": [rule.title for rule in told.failed],
                    "score": told.score,
                    "price": int(proof.prices[other]),
                    "short_by": int(proof.surplus[r]) - gain,
                }
            )
    figures = policy()
    urgency, waited = int(day.urgency[r]), int(day.waited_days[r])
    base, step, wait, most = (int(figures.at(name, ON)) for name in SERVING)
    return {
        "county": names[str(int(day.county[r]))],
        "field": CODES["field"].name(FIELDS[int(demand["field_wanted"])]),
        "urgency": CODES["urgency"].name(str(urgency)),
        "waited_days": waited,
        "able": len(able),
        "serving_terms": {"base": base, "urgency": step * urgency, "waiting": wait * min(waited, most)},
        "left_by_first_come": bool(comer[r] == NONE),
        "serving": int(problem.serving[r]),
        "surplus": int(proof.surplus[r]),
        "price": int(proof.prices[w]),
        "score": chosen.score,
        "distance_m": int(floor_sqrt(square[w : w + 1])[0]),
        "terms": [{"title": term.title, "points": term.points} for term in chosen.terms],
        "others": others,
    }


def _with_a_choice(problem: Problem, requests: Ints) -> Ints:
    """Those whom most workers could serve, up to as many as the story tells of."""
    asked = np.zeros(len(problem), bool)
    asked[requests] = True
    nothing = np.zeros(len(problem.workers), np.int64)
    able = sweep(Sheet(problem), nothing, np.zeros(len(problem), np.int64), BEST_OTHERS + 1, among=asked)
    choice = np.bincount(able.request, minlength=len(problem))[requests]
    return requests[choice == choice.max()]
