"""A fortnight told in figures: who waited how long under each way, who was overtaken, and what no order could have done better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from banyan.kernel.codes import CODES
from services.matching.domain.pairing import FEMALE, FIELDS, LEVELS, MALE
from services.matching.ranking.arrays import Ints
from services.matching.typhoon.fortnight import CASE_DAYS, OPEN, SURGE_DAYS, Fortnight, Waits
from services.matching.typhoon.overtaking import NEVER, STEPS, Overtaken, ahead_days_most, overtaken
from services.matching.typhoon.shortage import Shortage, apart, last_day_least, longest_wait_least, shortage

EVENINGS_AFTER = (0, 3, 7, 14, 28)
"""Days after the last call came, on whose evenings it is told who was open."""
SCARCE_AFTER, SCARCE_MOST = 7, 8
"""The scarcest kinds of call a week after the last one came, so many of them at the most."""


def waits(of: Fortnight, ways: Mapping[str, Waits], names: Mapping[str, str]) -> dict[str, Any]:
    """All that is told of some ways of choosing for the same calls; `names`: of counties, by code."""
    able, last = of.servable > 0, int(of.came_on.max())
    plays = {way: (found, overtaken(of, found)) for way, found in ways.items()}
    return {
        "calls": len(able),
        "workers": len(of.problem.workers),
        "never": int((~able).sum()),
        "calls_on_day": np.bincount(of.came_on).tolist(),
        "surge_days": SURGE_DAYS,
        "case_days": CASE_DAYS,
        "urgency": [_urgency(of, plays, step) for step in np.unique(of.urgency[able]).tolist()],
        "ahead_days_most": [ahead_days_most(step) for step in range(STEPS)],
        "evenings": [_evening(of, ways, last + after) for after in EVENINGS_AFTER],
        "last_day": {way: int(found.served_on.max()) for way, found in ways.items()},
        "last_day_least": last_day_least(of),
        "longest_wait_least": longest_wait_least(of),
        "scarce_after_days": SCARCE_AFTER,
        "scarce": [_scarce(of, each, names) for each in apart(of, last + SCARCE_AFTER)[:SCARCE_MOST]],
    }


def _urgency(of: Fortnight, plays: Mapping[str, tuple[Waits, Overtaken]], step: int) -> dict[str, Any]:
    mine = (of.servable > 0) & (of.urgency == step)
    return {
        "title": CODES["urgency"].name(str(step)),
        "calls": int(mine.sum()),
        "longest_wait_least": longest_wait_least(of, of.urgency >= step),
        "ways": {way: _way(of, *play, mine) for way, play in plays.items()},
    }


def _way(of: Fortnight, found: Waits, envy: Overtaken, mine: Any) -> dict[str, Any]:
    waited = (found.served_on - of.came_on)[mine]
    return {
        "mean_days": round(float(waited.mean()), 2),
        "p99_days": int(np.percentile(waited, 99)),
        "longest_days": int(waited.max()),
        "overtaken": int((envy.age_days[mine] != NEVER).sum()),
        "oldest_days": int(envy.age_days[mine].max()),
        "ahead_days": envy.ahead_days[mine].max(axis=0).tolist(),
        "below": int(envy.below[mine].sum()),
    }


def _evening(of: Fortnight, ways: Mapping[str, Waits], on: int) -> dict[str, Any]:
    came = (of.servable > 0) & (of.came_on <= on)
    left = {
        way: int((came & ((found.served_on == OPEN) | (found.served_on > on))).sum()) for way, found in ways.items()
    }
    return {"day": on, "after_days": on - int(of.came_on.max()), "open": left, "open_least": shortage(of, on).open}


def _scarce(of: Fortnight, part: Shortage, names: Mapping[str, str]) -> dict[str, Any]:
    """One shortage by the county and fields that most of its calls are of, and what at least half of them ask for."""
    asked = of.problem.demand[part.calls]
    return {
        "county": names[str(_most(of.problem.lines[part.calls, 2])[0])],
        "fields": [CODES["field"].name(FIELDS[field]) for field in _most(asked["field_wanted"])[:2]],
        "needs": _needs(asked),
        "calls": len(part.calls),
        "open_least": part.open,
        "workers": len(part.workers),
        "places": int(of.problem.free[part.workers].sum()),
    }


def _most(of: Ints) -> list[int]:
    values, many = np.unique(of, return_counts=True)
    return [int(value) for value in values[np.argsort(-many, kind="stable")]]


def _needs(asked: Any) -> list[str]:
    """What at least half of these calls ask of a worker, in words."""
    marks = [
        (CODES["language"].name(code), asked["languages_needed"] >> bit & 1)
        for bit, code in enumerate(CODES["language"])
    ]
    marks += [(title, asked["sex_wanted"] == sex) for title, sex in (("女性社工", FEMALE), ("男性社工", MALE))]
    marks += [("已注册", asked["registration_needed"])]
    needs = [title for title, mark in marks if 2 * int(np.count_nonzero(mark)) >= len(asked)]
    level = LEVELS[int(np.median(asked["min_level"]))]
    if level == LEVELS[0]:
        return needs
    return [*needs, CODES["level"].name(level) + ("" if level == LEVELS[-1] else "及以上")]
