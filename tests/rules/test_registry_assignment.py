"""Cases: a certificate is no availability; only an assignment that the employer confirmed is."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from banyan.contracts.registry import (
    AddUpload,
    AssignmentChanged,
    AssignmentEnded,
    AssignmentOpened,
    AssignmentProposed,
    ChangeAssignment,
    ConfirmAssignment,
    EndAssignment,
    FinishImport,
    ImportFinished,
    ImportStarted,
    RefreshAssignment,
    StartImport,
)
from banyan.kernel.message import DestroyKey
from banyan.kernel.refusal import Refused
from tests.rules.registry_given import (
    SIMING,
    TODAY,
    VILLAGE,
    approved,
    assignment_command,
    decide,
    drafted,
    officer,
    registered,
)

LEAD = officer("station_lead", account="acc-lead")


def opened(person=None, context=LEAD, **changes):
    person = person or registered()
    return decide(assignment_command(person, **changes), context, person=person)


def refresh(assignment, person, on=TODAY):
    return decide(RefreshAssignment(assignment_id=assignment.id), officer("system", on=on), assignment, person=person)


def test_the_employers_order_is_the_confirmation():
    assignment, event = opened()

    assert (assignment.state, assignment.confirmed_by) == ("open", "acc-lead")
    assert isinstance(event, AssignmentOpened)
    assert event.assignment_id == assignment.id
    assert (event.fields, event.slots) == ({"community": 2, "family": 3}, (0, 4, 20))
    assert (event.sex, event.level, event.registered, event.account) == ("2", "intermediate", True, "acc-worker")
    assert event.registration_until == dt.date(2029, 1, 31)


def test_what_others_ask_for_is_a_proposal_until_the_employer_confirms():
    person = registered()
    proposed, event = opened(person, context=officer())

    assert isinstance(event, AssignmentProposed)
    confirmed, event = decide(ConfirmAssignment(assignment_id=proposed.id), LEAD, proposed, person=person)

    assert (confirmed.state, confirmed.confirmed_by) == ("open", "acc-lead")
    assert isinstance(event, AssignmentOpened)


def test_nobody_is_told_a_place_finer_than_its_cell():
    one, _ = opened(longitude_udeg=118_080_001, latitude_udeg=24_470_000)
    other, _ = opened(longitude_udeg=118_089_999, latitude_udeg=24_479_999)

    assert (one.longitude_udeg, one.latitude_udeg) == (other.longitude_udeg, other.latitude_udeg)
    assert one.longitude_udeg == 118_085_000


def test_an_unregistered_professional_can_be_assigned_and_it_is_said():
    _, event = opened(approved())

    assert (event.registered, event.registration_until) == (False, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fields": {}}, "particular_missing"),
        ({"fields": {"astrology": 1}}, "unknown_code"),
        ({"fields": {"family": 4}}, "proficiency_out_of_range"),
        ({"fields": {"family": 0}}, "proficiency_out_of_range"),
        ({"languages": ("klingon",)}, "unknown_code"),
        ({"weekly_capacity": 0}, "capacity_out_of_range"),
        ({"weekly_capacity": 61}, "capacity_out_of_range"),
        ({"slots": (21,)}, "slot_out_of_range"),
        ({"host_kind": "bank"}, "unknown_code"),
        ({"since": dt.date(2026, 6, 1), "until": dt.date(2026, 5, 31)}, "ends_before_it_begins"),
    ],
)
def test_an_assignment_that_cannot_be_served_is_refused(changes, code):
    with pytest.raises(Refused) as refused:
        opened(**changes)

    assert refused.value.code == code


def test_only_an_approved_person_can_be_assigned():
    with pytest.raises(Refused, match="not_serving"):
        opened(drafted())


def test_a_change_is_told_whole_and_only_where_it_is_one():
    assignment, _ = opened()

    after, event = decide(ChangeAssignment(assignment_id="a", weekly_capacity=3), LEAD, assignment)

    assert isinstance(event, AssignmentChanged)
    assert (event.weekly_capacity, event.fields) == (3, assignment.fields)
    with pytest.raises(Refused, match="nothing_changed"):
        decide(ChangeAssignment(assignment_id="a", weekly_capacity=3), LEAD, after)


def test_a_lapse_takes_the_worker_out_and_a_new_registration_brings_her_back():
    person = registered()
    assignment, _ = opened(person)

    paused, left = refresh(assignment, replace(person, state="lapsed"))
    resumed, back = refresh(paused, person)

    assert (paused.state, resumed.state) == ("paused", "open")
    assert isinstance(left, AssignmentEnded)
    assert left.reason == "lapsed"
    assert isinstance(back, AssignmentOpened)


def test_a_merged_record_serves_no_more_until_it_stands_for_itself_again():
    person = registered()
    assignment, _ = opened(person)

    paused, left = refresh(assignment, replace(person, merged_into="p-9"))

    assert left.reason == "merged"
    assert refresh(paused, person)[0].state == "open"


def test_a_new_level_is_told_and_no_news_is_not():
    person = registered()
    assignment, _ = opened(person)

    assert refresh(assignment, person) == (assignment,)
    after, event = refresh(assignment, replace(person, level="senior"))

    assert isinstance(event, AssignmentChanged)
    assert (after.level, event.level) == ("senior", "senior")


@pytest.mark.parametrize("state", ["retired", "erased"])
def test_who_leaves_leaves_the_assignment_too(state):
    person = registered()
    assignment, _ = opened(person)

    ended, event = refresh(assignment, replace(person, state=state))

    assert (ended.state, ended.live, ended.ended_on) == ("ended", None, TODAY)
    assert event.reason == state


def test_an_ended_assignment_is_over_and_what_was_typed_is_in_no_event():
    assignment, _ = opened()
    ended, event = decide(EndAssignment(assignment_id="a", reason="合同期满"), LEAD, assignment)

    assert event == AssignmentEnded(
        assignment_id=assignment.id, person_id=assignment.person_id, division=VILLAGE, reason="ended"
    )
    assert ended.ended_because == "合同期满"
    with pytest.raises(Refused, match="wrong_state"):
        decide(EndAssignment(assignment_id="a", reason="合同期满"), LEAD, ended)
    with pytest.raises(Refused, match="wrong_state"):
        decide(ChangeAssignment(assignment_id="a", weekly_capacity=3), LEAD, ended)


def test_an_import_waits_for_its_job_and_ends_with_a_count():
    start = StartImport(division=SIMING, digest="ab" * 32, format="csv")
    upload = AddUpload(division=SIMING, digest="ab" * 32, part=0, parts=1, content=b"x")
    (part,) = decide(upload, officer())
    record, event = decide(start, officer(), uploaded=("u-1",))

    assert (record.state, record.started_by.account, record.upload_ids) == ("waiting", "acc-officer", ("u-1",))
    assert isinstance(event, ImportStarted)
    records, event, effect = decide(
        FinishImport(import_id=record.id, rows=10, refused=2), officer("system"), record, parts=(part,)
    )
    done, (gone,) = records[""], records["parts"]
    assert (gone.content, gone.place, effect) == (None, None, DestroyKey(person_id=part.id))
    assert (done.state, event.rows, event.refused) == ("finished", 10, 2)
    assert isinstance(event, ImportFinished)


def test_an_import_needs_its_file_and_a_known_format():
    start = StartImport(division=SIMING, digest="ab" * 32, format="csv")

    with pytest.raises(Refused, match="upload_missing"):
        decide(start, officer(), uploaded=())
    with pytest.raises(Refused, match="unknown_code"):
        decide(replace(start, format="docx"), officer(), uploaded=("u-1",))
