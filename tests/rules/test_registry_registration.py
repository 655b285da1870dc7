"""Cases: periods, hours, reminders, lapse. Days are days in Shanghai."""

from __future__ import annotations

import datetime as dt

import pytest

from banyan.contracts.registry import (
    BeginRegistration,
    LapsePerson,
    LearningRecorded,
    PersonLapsed,
    PersonRegistered,
    PersonReminded,
    PersonRenewed,
    RecordLearning,
    ReinstatePerson,
    RemindPerson,
    RenewRegistration,
    RetirePerson,
    SuspendPerson,
)
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from services.registry.domain.registration import months_later
from tests.rules.registry_given import TODAY, approved, certificate, decide, officer, registered, worker_command

PASSED = dt.date(2026, 1, 10)
FROM, UNTIL = dt.date(2026, 2, 1), dt.date(2029, 1, 31)


def begin(person, on=TODAY, **more):
    return decide(BeginRegistration(person_id=person.id, **more), officer(on=on), person)


def learn(person, hours, completed_on, evidence="培训-1", learning="course", on=None):
    command = RecordLearning(
        person_id=person.id, learning=learning, hours=hours, completed_on=completed_on, evidence=evidence
    )
    return decide(command, officer(on=on or completed_on), person)[0]


def renew(person, on):
    return decide(RenewRegistration(person_id=person.id), officer(on=on), person)


def remind(person, days_left, on):
    return decide(RemindPerson(person_id=person.id, days_left=days_left), officer("system", on=on), person)


def lapse(person, on):
    return decide(LapsePerson(person_id=person.id), officer("system", on=on), person)


def test_a_period_lasts_three_years_and_both_days_are_in_it():
    person, event = begin(approved())

    assert person.state == "active"
    assert isinstance(event, PersonRegistered)
    assert (event.period_from, event.period_until) == (dt.date(2026, 6, 15), dt.date(2029, 6, 14))


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (dt.date(2024, 2, 29), 36, dt.date(2027, 2, 28)),
        (dt.date(2026, 1, 31), 1, dt.date(2026, 2, 28)),
        (dt.date(2029, 5, 31), -3, dt.date(2029, 2, 28)),
        (dt.date(2026, 12, 15), 1, dt.date(2027, 1, 15)),
    ],
)
def test_months_end_where_the_month_ends(day, months, later):
    assert months_later(day, months) == later


def test_the_first_registration_is_due_within_a_year_of_passing():
    person = approved()

    assert begin(person, on=dt.date(2027, 1, 10))[0].state == "active"
    with pytest.raises(Refused, match="learning_short"):
        begin(person, on=dt.date(2027, 1, 11))


def test_a_late_first_registration_needs_the_hours_of_a_period():
    person = learn(approved(), 90, dt.date(2027, 1, 5))

    assert begin(person, on=dt.date(2027, 1, 11))[0].state == "active"


def test_without_a_certificate_there_is_no_registration():
    person = approved(worker_command(certificate=None, talent_basis="degree", talent_evidence="学位证"))

    with pytest.raises(Refused, match="not_certified"):
        begin(person)


def test_a_registration_does_not_begin_tomorrow():
    with pytest.raises(Refused, match="date_in_future"):
        begin(approved(), from_on=TODAY + dt.timedelta(days=1))


@pytest.mark.parametrize(("level", "needed"), [("assistant", 72), ("intermediate", 90), ("senior", 90)])
def test_renewal_needs_the_hours_of_the_level(level, needed):
    person = registered(certificate=certificate(level))
    short = learn(person, needed - 1, dt.date(2028, 5, 1))

    with pytest.raises(Refused) as refused:
        renew(short, on=dt.date(2028, 12, 1))

    assert refused.value.facts == {"hours": needed - 1, "needed": needed, "missing": 1}
    enough = learn(short, 1, dt.date(2028, 6, 1), evidence="培训-2")
    assert renew(enough, on=dt.date(2028, 12, 1))[0].state == "active"


def test_renewal_opens_three_months_before_the_end_and_leaves_no_gap():
    person = learn(registered(), 90, dt.date(2028, 5, 1))

    with pytest.raises(Refused) as refused:
        renew(person, on=dt.date(2028, 10, 31))
    after, event = renew(person, on=dt.date(2028, 11, 1))

    assert refused.value.facts == {"opens_on": "2028-11-01"}
    assert isinstance(event, PersonRenewed)
    assert (event.period_from, event.period_until) == (dt.date(2029, 2, 1), dt.date(2032, 1, 31))
    assert after.ends_on == dt.date(2032, 1, 31)


def test_a_period_is_renewed_once():
    person = renew(learn(registered(), 200, dt.date(2028, 5, 1)), on=dt.date(2028, 12, 1))[0]

    with pytest.raises(Refused, match="renewal_not_open"):
        renew(person, on=dt.date(2028, 12, 2))


def test_hours_count_in_the_period_in_which_they_were_completed():
    person = learn(registered(), 90, dt.date(2026, 1, 31))

    with pytest.raises(Refused, match="learning_short"):
        renew(person, on=dt.date(2028, 12, 1))


def test_one_evidence_counts_once():
    with pytest.raises(Refused, match="learning_counted"):
        learn(learn(registered(), 10, TODAY), 10, TODAY)


def test_a_degree_counts_its_hours_once_in_a_life():
    person = learn(registered(), 0, TODAY, learning="degree", evidence="学位证")

    assert person.learnings[0].hours == 90
    with pytest.raises(Refused, match="degree_counted"):
        learn(person, 0, TODAY, learning="degree", evidence="另一学位证")


def test_hours_are_told_by_event_and_none_is_refused():
    command = RecordLearning(person_id="p", learning="course", hours=0, completed_on=TODAY, evidence="培训")
    with pytest.raises(Refused, match="particular_missing"):
        decide(command, officer(), registered())

    event = decide(
        RecordLearning(person_id="p", learning="course", hours=8, completed_on=TODAY, evidence="培训"),
        officer(),
        registered(),
    )[1]
    assert isinstance(event, LearningRecorded)
    assert event.hours == 8


@pytest.mark.parametrize("days_left", [90, 30, 7])
def test_a_reminder_comes_once_for_each_date(days_left):
    on = UNTIL - dt.timedelta(days=days_left)

    person, event, notice = remind(registered(), days_left, on)

    assert isinstance(event, PersonReminded)
    assert (notice.template, notice.to) == ("registration_ends", "acc-worker")
    assert notice.facts == {"ends_on": "2029-01-31", "days_left": str(days_left)}
    with pytest.raises(Refused, match="nothing_to_remind"):
        remind(person, days_left, on)


def test_nobody_is_reminded_too_early():
    with pytest.raises(Refused, match="nothing_to_remind"):
        remind(registered(), 30, UNTIL - dt.timedelta(days=31))


def test_a_registration_lapses_the_day_after_its_last_day():
    person = registered()

    with pytest.raises(Refused, match="still_registered"):
        lapse(person, on=UNTIL)
    after, event, notice = lapse(person, on=UNTIL + dt.timedelta(days=1))

    assert after.state == "lapsed"
    assert after.level == "intermediate"
    assert isinstance(event, PersonLapsed)
    assert event.effective_on == dt.date(2029, 2, 1)
    assert notice.template == "registration_lapsed"


def test_the_day_turns_in_shanghai_not_in_utc():
    context = officer("system")
    late = Context(caller=context.caller, now=dt.datetime(2029, 1, 31, 16, 30, tzinfo=dt.UTC), policy=context.policy)

    assert decide(LapsePerson(person_id="p"), late, registered())[0].state == "lapsed"


def test_after_a_lapse_registration_begins_anew_with_hours():
    person = lapse(registered(), on=dt.date(2029, 2, 1))[0]

    with pytest.raises(Refused, match="learning_short"):
        begin(person, on=dt.date(2029, 3, 1))
    person = learn(person, 90, dt.date(2029, 2, 20))
    after, event = begin(person, on=dt.date(2029, 3, 1))

    assert after.state == "active"
    assert event.period_from == dt.date(2029, 3, 1)


def test_a_suspended_person_comes_back_to_what_the_register_says_today():
    suspended = decide(SuspendPerson(person_id="p", reason="调查期间"), officer(), registered())[0]

    soon = decide(ReinstatePerson(person_id="p", reason="查无违规"), officer(), suspended)[0]
    late = decide(ReinstatePerson(person_id="p", reason="查无违规"), officer(on=dt.date(2029, 2, 1)), suspended)[0]
    never = decide(SuspendPerson(person_id="p", reason="调查期间"), officer(), approved())[0]

    assert (suspended.state, soon.state, late.state) == ("suspended", "active", "lapsed")
    assert decide(ReinstatePerson(person_id="p", reason="查无违规"), officer(), never)[0].state == "approved"


def test_who_retired_does_not_come_back():
    retired = decide(RetirePerson(person_id="p", reason="退休"), officer(), registered())[0]

    with pytest.raises(Refused, match="wrong_state"):
        begin(retired)
