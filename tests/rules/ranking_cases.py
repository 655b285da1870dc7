"""Workers, requests and figures for the ranking's tests: three fields, and hypothesis strategies with extremes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from services.matching.ranking import Figures, Request, Worker

FIGURES = Figures(
    proficiency_1_points=1_000,
    proficiency_2_points=2_000,
    proficiency_3_points=2_800,
    nearest_points=3_000,
    all_free_points=1_200,
    earlier_points=1_800,
    asked_language_points=400,
    exact_level_points=400,
    slot_points=50,
    slots_most_points=400,
    offered_points=400,
    limits_m=(25_000, 40_000, 2_700_000),
    far_urgency=3,
    far_times_percent=150,
)
PROVINCE, FUZHOU, GULOU, XIAMEN = 350_000_000_000, 350_100_000_000, 350_102_000_000, 350_200_000_000
LINE = (GULOU, FUZHOU, PROVINCE)
_EDGE = 1 << 23
_ids = st.sampled_from([f"w{number}" for number in range(12)])
_places = st.one_of(
    st.integers(-60_000, 60_000), st.sampled_from([-_EDGE, _EDGE, 25_000, 25_001, 37_500, 1_024_000, -1_024_000, 2_700_000])
)
_sets = st.one_of(st.just(0), st.integers(0, 15), st.just((1 << 31) - 1))


def worker(id: str = "w0", **facts: Any) -> Worker:
    """A worker at the origin, proficiency 2 in field 0, half free, registered, intermediate, of Gulou."""
    usual: dict[str, Any] = {
        "x": 0,
        "y": 0,
        "area": GULOU,
        "capacity": 8,
        "load": 4,
        "proficiency": (2, 0, 0),
        "level": 2,
        "registered": 1,
        "sex": 1,
        "languages": 1,
        "slots": 7,
    }
    return Worker(id=id, **{**usual, **facts})


def request(**facts: Any) -> Request:
    """A request at the origin for field 0 in Gulou that asks for nothing else."""
    usual: dict[str, Any] = {"field": 0, "x": 0, "y": 0, "line": LINE}
    return Request(**{**usual, **facts})


workers = st.builds(
    Worker,
    id=_ids,
    x=_places,
    y=_places,
    area=st.sampled_from([GULOU, FUZHOU, XIAMEN]),
    capacity=st.one_of(st.integers(0, 4), st.just(1_000_000)),
    load=st.one_of(st.integers(0, 4), st.just(1_000_000)),
    proficiency=st.tuples(*[st.integers(0, 3)] * 3),
    level=st.integers(0, 3),
    registered=st.integers(0, 1),
    sex=st.integers(0, 2),
    languages=_sets,
    slots=_sets,
    cross_area=st.integers(0, 1),
)
requests = st.builds(
    Request,
    field=st.integers(0, 2),
    x=_places,
    y=_places,
    line=st.sampled_from([LINE, (XIAMEN, PROVINCE), ()]),
    urgency=st.integers(0, 3),
    registration_needed=st.integers(0, 1),
    languages_needed=st.one_of(st.just(0), _sets),
    languages_wished=_sets,
    sex_wanted=st.sampled_from([0, 0, 0, 1, 2]),
    min_level=st.sampled_from([0, 0, 1, 2, 3]),
    slots_wanted=_sets,
    cross_area_allowed=st.integers(0, 1),
    conflicts=st.one_of(st.just(()), st.lists(_ids, max_size=2).map(tuple)),
    excluded=st.one_of(st.just(()), st.lists(_ids, max_size=2).map(tuple)),
    earlier=st.lists(_ids, max_size=2).map(tuple),
)
