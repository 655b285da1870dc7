"""Given: the persons, officers and days that the cases of registry begin with. Nobody here is real."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from banyan.contracts.registry import ApprovePerson, Certificate, OpenAssignment, RegisterPerson, SubmitPerson
from banyan.kernel.context import Caller, Context, Grant
from banyan.kernel.decision import DECISIONS
from banyan.kernel.documents import check_character
from banyan.kernel.message import Command
from banyan.kernel.policy import Policy, seed_figures
from services import registry
from services.registry.domain import approval, assignment, duplicates, entry, imports, registration
from services.registry.domain.person import Person

RULES = (approval, assignment, duplicates, entry, imports, registration)
POLICY = Policy(seed_figures(Path(registry.__file__ or "").with_name("policy.toml").read_text("utf-8")))
TODAY = dt.date(2026, 6, 15)
SIMING, GULOU = "350203000000", "350102000000"
VILLAGE = "350203001001"


def officer(
    *duties: str, division: str = SIMING, on: dt.date = TODAY, account: str = "acc-officer", may: Any = None
) -> Context:
    """A context in which somebody acts with duties over a division, at ten in the morning of a day."""
    duties = duties or ("registrar",)
    grants = tuple(Grant(duty=duty, division=division) for duty in duties)
    now = dt.datetime.combine(on, dt.time(2), dt.UTC)
    return Context(
        caller=Caller(account=account, grants=grants), now=now, policy=POLICY, seed=account.encode(), may=may or duties
    )


def self_of(person: Person, on: dt.date = TODAY) -> Context:
    """A context in which the person acts on the own record, with no office."""
    now = dt.datetime.combine(on, dt.time(2), dt.UTC)
    return Context(caller=Caller(account="acc-own", person=person.id), now=now, policy=POLICY, own_only=True)


def decide(command: Command, context: Context, record: Any = None, **beside: Any) -> tuple[Any, ...]:
    """What the rule of a command answers, as the frame would call it."""
    return DECISIONS[type(command)].decide(record, command, context, **beside)


def citizen(birth: str = "19900307", sequence: int = 124, region: str = "350203") -> str:
    """A resident ID number that holds together; an even sequence is a woman's."""
    first = f"{region}{birth}{sequence:03d}"
    return first + check_character(first)


def certificate(level: str = "intermediate", passed_on: dt.date = dt.date(2026, 1, 10)) -> Certificate:
    return Certificate(level=level, number="SW2026000123", passed_on=passed_on)


def worker_command(**changes: Any) -> RegisterPerson:
    """A certified social worker of a community in Siming."""
    command = RegisterPerson(
        division=VILLAGE,
        name="林晓梅",
        document_kind="resident_id",
        document_number=citizen(),
        phone="13812345678",
        education="21",
        employer_kind="social_organisation",
        fields=("family", "community"),
        languages=("mandarin", "minnan"),
        weekly_capacity=10,
        talent_basis="certificate",
        certificate=certificate(),
        account="acc-worker",
        notice_version="2026-01",
    )
    return replace(command, **changes)


def drafted(command: RegisterPerson | None = None, context: Context | None = None) -> Person:
    answer = decide(command or worker_command(), context or officer(), same_document=None, lookalikes=())
    return answer[0]


def submitted(command: RegisterPerson | None = None) -> Person:
    person = drafted(command)
    return decide(SubmitPerson(person_id=person.id), officer("station_lead"), person)[0]


def approved(command: RegisterPerson | None = None) -> Person:
    person = submitted(command)
    return decide(ApprovePerson(person_id=person.id), officer(), person)[0]


def registered(**changes: Any) -> Person:
    """Approved, with a period that was stated on entry: from 2026-02-01."""
    return approved(worker_command(registered_from=dt.date(2026, 2, 1), **changes))


def assignment_command(person: Person, **changes: Any) -> OpenAssignment:
    command = OpenAssignment(
        person_id=person.id,
        host_kind="station",
        host_id="s-1",
        division=VILLAGE,
        area="350203001000",
        longitude_udeg=118_089_425,
        latitude_udeg=24_479_834,
        fields={"family": 3, "community": 2},
        weekly_capacity=8,
        slots=(0, 4, 4, 20),
    )
    return replace(command, **changes)
