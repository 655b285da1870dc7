"""What each stream's events make of a person, an assignment, a request and a worker; areas, targets, hidden cells."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banyan.contracts import matching, registry
from banyan.kernel.divisions import Division, Tree
from banyan.kernel.policy import Policy, seed_figures
from services.insight.domain import areas, assignment, cells, person, request, targets, worker

AT = datetime(2025, 3, 1, 8, tzinfo=UTC)
ON = date(2025, 3, 1)
REQUEST: dict[str, Any] = {
    "request_id": "q-1", "division": "350203001001", "field": "family", "client_group": "child", "urgency": 1,
    "protected": False,
}  # fmt: skip


def after_all(*events: matching.OfRequest) -> request.RequestFacts:
    facts = None
    for event in events:
        facts = request.after(facts, event)
    assert facts is not None
    return facts


def taken(minute: int = 0) -> matching.RequestTaken:
    at = AT + timedelta(minutes=minute)
    return matching.RequestTaken(at=at, client_id=None, asked_by="x", functions=(), **REQUEST)


def of(kind: Any, minute: int, **more: Any) -> Any:
    return kind(at=AT + timedelta(minutes=minute), **(REQUEST | more))


def test_the_wait_is_that_of_the_first_acceptance() -> None:
    accepted = {"worker_id": "a-1", "declined_before": 0}
    facts = after_all(
        taken(),
        of(matching.OfferAccepted, 30, wait_min=30, **accepted),
        of(matching.WorkerReleased, 40, worker_id="a-1"),
        of(matching.OfferAccepted, 90, wait_min=90, **accepted),
    )
    assert (facts.wait_min, facts.accepted_at, facts.state) == (30, AT + timedelta(minutes=30), "accepted")


def test_a_follow_up_ends_the_case_or_opens_it_again() -> None:
    completed = of(matching.ServiceCompleted, 60, worker_id="a-1", minutes_served=45, change=2)
    well = after_all(taken(), completed, of(matching.RequestFollowedUp, 70, well=True))
    again = after_all(taken(), completed, of(matching.RequestFollowedUp, 70, well=False))
    assert (well.state, well.ending, well.minutes_served) == ("ended", "completed", 45)
    assert (again.state, again.ended_at, again.completed_at) == ("waiting", None, None)


def test_a_triage_that_protects_moves_the_case_to_its_county() -> None:
    facts = after_all(
        taken(),
        of(
            matching.RequestTriaged, 5, division="350203000000", protected=True, confidentiality="protected",
            functions=(), direct=False,
        ),
    )  # fmt: skip
    assert (facts.division, facts.protected, facts.taken_at) == ("350203000000", True, AT)


def test_a_merged_record_stays_merged_until_it_is_separated() -> None:
    base = {"person_id": "p-2", "division": "350203001001", "state": "active"}
    merged = person.after(None, registry.PersonMerged(absorbed_id="p-2", survivor_id="p-1", **base))
    told = person.after(merged, registry.PersonReminded(days_left=30, **base))
    apart = person.after(told, registry.PersonUnmerged(absorbed_id="p-2", survivor_id="p-1", **base))
    assert (merged.merged_into, told.merged_into, apart.merged_into) == ("p-1", "p-1", None)


def test_a_suspicion_stands_until_it_is_decided() -> None:
    base = {"person_id": "p-2", "division": "350203001001", "state": "active"}
    suspected = person.after(None, registry.DuplicateSuspected(other_ids=("p-1",), **base))
    assert suspected.suspected
    assert not person.after(suspected, registry.DuplicateDismissed(other_id="p-1", **base)).suspected
    assert not person.after(suspected, registry.PersonErased(**(base | {"state": "erased"}))).suspected


def test_an_assignment_that_only_ends_says_nothing() -> None:
    ended = registry.AssignmentEnded(assignment_id="a-1", person_id="p-1", division="350203001001", reason="x")
    assert assignment.after(None, ended) is None


def test_a_worker_keeps_the_load_through_new_terms() -> None:
    base = {"worker_id": "a-1", "division": "350203001001", "at": AT}
    kept = worker.after(None, matching.WorkerKept(fields=("family",), weekly_capacity=3, **base))
    loaded = worker.after(kept, matching.WorkerLoadChanged(offered=1, accepted=2, **base))
    paused = worker.after(loaded, matching.WorkerSuspended(offered=(), accepted=(), **base))
    back = worker.after(paused, matching.WorkerChanged(fields=("family",), weekly_capacity=5, **base))
    assert (paused.state, back.state, back.offered, back.accepted, back.weekly_capacity) == (
        "suspended", "on_call", 1, 2, 5,
    )  # fmt: skip


def division(code: str, parent: str, level: str, kind: str, **more: Any) -> Division:
    given = {"name": code, "countable": True} | more
    return Division(code=code, parent_code=parent, level=level, kind=kind, **given)


RETIRED: dict[str, Any] = {"until_on": date(2021, 6, 1), "successors": ("350404000000",)}
TREE = Tree(
    [
        division("350000000000", "", "province", "province"),
        division("350100000000", "350000000000", "city", "city"),
        division("350128000000", "350100000000", "county", "county", reports_to="350000000000"),
        division("350102000000", "350100000000", "county", "district"),
        division("350102001000", "350102000000", "town", "subdistrict"),
        division("350102001001", "350102001000", "village", "residents_committee"),
        division("350102001200", "350102001000", "village", "village_committee"),
        division("350102001400", "350102001000", "village", "pseudo_village", countable=False),
        division("350128100000", "350128000000", "town", "town"),
        division("350128100001", "350128100000", "village", "residents_committee"),
        division("350402000000", "350000000000", "county", "district", **RETIRED),
        division("350404000000", "350000000000", "county", "district", from_on=date(2021, 6, 1)),
    ]
)  # fmt: skip
CODES = ("350102001001", "350128100001", "350402000000", "350100000000")


@pytest.mark.parametrize(
    ("area", "inside"),
    [
        ("350000000000", {"350102001001", "350128100001", "350402000000", "350100000000"}),
        ("350100000000", {"350102001001", "350100000000"}),
        ("350128000000", {"350128100001"}),
        ("350404000000", {"350402000000"}),
    ],
)
def test_figures_follow_whom_an_area_reports_to_and_what_became_of_old_codes(area: str, inside: set[str]) -> None:
    found = areas.reach(TREE, area, CODES, ON)
    assert {c for c in CODES if (c.startswith(found.begins) and c not in found.less) or c in found.more} == inside


def test_each_code_belongs_to_one_division_below() -> None:
    below = {code: areas.child(TREE, "350000000000", code, ON) for code in CODES}
    assert below == {
        "350102001001": "350100000000",
        "350128100001": "350128000000",
        "350402000000": "350404000000",
        "350100000000": "350100000000",
    }
    assert areas.child(TREE, "350100000000", "350100000000", ON) == "350100000000"
    assert areas.child(None, "350102000000", "350102001001", ON) == "350102001000"


def test_denominators_count_what_counts_by_both_readings() -> None:
    found = areas.denominators(TREE, "350000000000", ON)
    assert (found.villages, found.subdistrict_communities, found.all_communities) == (3, 1, 2)
    assert areas.denominators(TREE, "350100000000", ON).all_communities == 1


def policy() -> Policy:
    from importlib import resources

    return Policy(seed_figures(resources.files("services.insight").joinpath("policy.toml").read_text("utf-8")))


def test_the_policy_has_its_three_targets_and_both_choices() -> None:
    found = targets.targets(policy())
    assert [(t.measure, t.goal, t.due_on) for t in found] == [
        ("professionals", 70000, date(2025, 12, 31)),
        ("professionals_per_community", 5, date(2025, 12, 31)),
        ("villages_served", 1000, date(2025, 12, 31)),
    ]
    assert found[1].choices == ("subdistrict_communities", "all_communities")


def test_nearly_every_village_is_not_every_village() -> None:
    every = targets.targets(policy())[2]
    assert not targets.meets(every, targets.Reading(count=17346, of=17348))
    assert targets.Reading(count=17346, of=17348).per_thousand == 999
    assert targets.meets(every, targets.Reading(count=17348, of=17348))
    assert not targets.meets(every, targets.Reading(count=0, of=0))


DAYS = st.integers(0, 30).map(lambda n: ON + timedelta(days=n))


@given(st.lists(st.tuples(DAYS, st.integers(-3, 3)), max_size=20), st.integers(1, 6))
def test_since_when_is_the_last_day_on_which_the_answer_turned(changes: Any, threshold: int) -> None:
    on = ON + timedelta(days=25)
    values = {}
    for n in range(26):
        day = ON + timedelta(days=n)
        values[day] = sum(difference for at, difference in changes if at <= day) >= threshold
    met, since = targets.standing_since(changes, threshold, on)
    assert met == values[on]
    turned = [day for day in values if values[day] != values.get(day - timedelta(days=1), False)]
    assert since == (turned[-1] if turned else None)


SPANS = st.lists(
    st.tuples(st.sampled_from(("x", "y")), DAYS, st.one_of(st.none(), DAYS)).filter(
        lambda span: span[2] is None or span[1] < span[2]
    ),
    max_size=8,
)


@given(SPANS)
def test_a_village_is_served_once_however_many_cover_it(spans: Any) -> None:
    lies_in = {"x": ["v1", "v2"], "y": ["v2", "v3"]}
    changes = targets.served_changes(spans, lies_in)
    for n in range(31):
        day = ON + timedelta(days=n)
        covering = {area for area, start, stop in spans if start <= day and (stop is None or day < stop)}
        served = {village for area in covering for village in lies_in[area]}
        assert sum(difference for at, difference in changes if at <= day) == len(served)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 12), max_size=8), st.integers(2, 6))
def test_no_hidden_cell_follows_from_the_total(counts: dict[str, int], threshold: int) -> None:
    shown = cells.hide(counts, threshold)
    hidden = [name for name, count in shown.items() if count is None]
    assert all(shown[name] == counts[name] for name in shown if name not in hidden)
    assert all(name in hidden for name, count in counts.items() if 0 < count < threshold)
    if hidden and cells.total_shown(list(counts.values()), threshold) is not None:
        rest = sum(counts.values()) - sum(count for count in shown.values() if count is not None)
        assert len(hidden) >= 2 and rest >= threshold


def test_nothing_small_nothing_hidden() -> None:
    assert cells.hide({"a": 9, "b": 0}, 5) == {"a": 9, "b": 0}
    assert cells.total_shown([2, 1], 5) is None
