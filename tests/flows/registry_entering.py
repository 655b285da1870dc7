"""Workers as a flow enters them: each number another person, with a period that runs today."""

from __future__ import annotations

import datetime as dt

from banyan.contracts import registry as words
from banyan.kernel.context import SHANGHAI
from tests.flows.registry_desk import Desk
from tests.rules.registry_given import assignment_command, certificate, citizen, worker_command


def command_of(number: int = 0, today: dt.date | None = None, **changes) -> words.RegisterPerson:
    """A worker of whom each number is another person, with a period that runs today."""
    today = today or dt.datetime.now(SHANGHAI).date()
    given = {
        "document_number": citizen(sequence=100 + 2 * number),
        "phone": f"138123{number:05d}",
        "account": f"acc-w{number}",
        "certificate": certificate(passed_on=today - dt.timedelta(days=60)),
        "registered_from": today - dt.timedelta(days=30),
        "submit": True,
    }
    return worker_command(**{**given, **changes})


def enter(desk: Desk, number: int = 0, **changes) -> str:
    return str(desk.order(command_of(number, **changes))["id"])


def approve(desk: Desk, id: str) -> str:
    desk.order(words.ApprovePerson(person_id=id))
    return id


def assignment_command_of(person_id: str, **changes) -> words.OpenAssignment:
    class _Named:
        id = person_id

    return assignment_command(_Named(), **changes)  # type: ignore[arg-type]
