"""What comes by the clock or by another record: reminders, lapse, an assignment that follows its person and ends."""

from __future__ import annotations

import datetime as dt

import pytest

from banyan.contracts import registry as words
from banyan.kernel.refusal import Refused
from tests.flows.registry_desk import Desk
from tests.flows.registry_entering import approve, assignment_command_of, enter
from tests.rules.registry_given import certificate


def test_reminders_and_lapse_come_by_the_clock_and_take_the_worker_out_of_matching(desk: Desk):
    id = approve(desk, enter(desk))
    lead = desk.caller("station_lead")
    assignment = desk.order(assignment_command_of(id), lead)["id"]
    ends_on = desk.ask(words.GetPerson(person_id=id)).period.until_on

    for days_left in (90, 30, 7):
        desk.move(days=(ends_on - desk.today()).days - days_left)
        desk.turn()
        desk.turn()
    reminded = [data["days_left"] for name, data in desk.events(id) if name == "reminded"]
    assert reminded == [90, 30, 7]
    assert [facts["days_left"] for (facts,) in desk.rows("select facts from notice order by id")] == ["90", "30", "7"]

    desk.move(days=8)
    desk.turn()
    desk.turn()
    assert desk.ask(words.GetPerson(person_id=id)).state == "lapsed"
    assert [name for name, _ in desk.events(assignment)] == ["opened", "ended"]
    assert desk.events(assignment)[-1][1]["reason"] == "lapsed"


def test_an_assignment_follows_its_person_and_ends_on_its_day(desk: Desk):
    id = approve(desk, enter(desk))
    lead = desk.caller("station_lead")
    last = desk.today() + dt.timedelta(days=20)
    assignment = desk.order(assignment_command_of(id, until=last), lead)["id"]
    with pytest.raises(Refused, match="assignment_open"):
        desk.order(assignment_command_of(id), lead)

    desk.order(words.SuspendPerson(person_id=id, reason="调查期间"))
    desk.turn()
    desk.order(words.ReinstatePerson(person_id=id, reason="查无违规"))
    desk.turn()
    senior = certificate("senior", passed_on=desk.today())
    desk.order(words.CertifyPerson(person_id=id, certificate=senior))
    desk.turn()
    desk.turn()
    desk.move(days=21)
    desk.turn()

    assert [name for name, _ in desk.events(assignment)] == ["opened", "ended", "opened", "changed", "ended"]
    (line,) = desk.ask(words.FindAssignments(person_id=id)).items
    assert line.state == "ended"
    assert desk.order(assignment_command_of(id), lead)["state"] == "open"
