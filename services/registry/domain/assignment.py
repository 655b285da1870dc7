"""Assignment 服务任职: a certificate is no availability; only a dated assignment that the employer confirmed is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, ClassVar, TypeVar

from msgspec.structs import replace

from banyan.contracts.registry import (
    EMPLOYERS,
    AssignmentChanged,
    AssignmentEnded,
    AssignmentEvent,
    AssignmentOpened,
    AssignmentProposed,
    ChangeAssignment,
    ConfirmAssignment,
    EndAssignment,
    OpenAssignment,
    RefreshAssignment,
)
from banyan.kernel.codes import CODES
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused
from services.registry.domain import particulars as given
from services.registry.domain.person import SERVING, Person, registered, standing

HOSTS = ("station", "agency")
SLOTS = range(21)  # three parts of each of seven days
LIVE = ("proposed", "open", "paused")
E = TypeVar("E", bound=AssignmentEvent)

ASSIGNMENT = Machine(
    "assignment",
    initial="proposed",
    moves=[
        Move("confirm", "proposed", "open"),
        Move("pause", "open", "paused"),
        Move("resume", "paused", "open"),
        Move("end", LIVE, "ended"),
    ],
    ends=("ended",),
)


class Assignment(Aggregate, frozen=True, kw_only=True):
    """Who serves where, in what, how much and when. What it needs of the person is copied and kept fresh by event."""

    kind: ClassVar[str] = "assignment"
    prefix: ClassVar[str] = "a"
    subject: ClassVar[str | None] = "person_id"

    state: str
    live: str | None  # person and host while not ended: at most one of them at a time
    person_id: str
    host_kind: str
    host_id: str
    area: str
    longitude_udeg: int
    latitude_udeg: int
    fields: dict[str, int]
    languages: tuple[str, ...] = ()
    weekly_capacity: int
    slots: tuple[int, ...] = ()
    cross_area: bool = False
    sex: str = "0"
    level: str = "none"
    registered: bool = False
    registration_until: date | None = None
    account: str | None = None
    since: date
    until: date | None = None
    confirmed_by: str | None = None
    ended_on: date | None = None
    ended_because: str = ""


@decides(OpenAssignment, on=Assignment, also={"person": (Person, "person_id")})
def open_assignment(_: None, command: OpenAssignment, context: Context, *, person: Person | None) -> tuple[Any, ...]:
    """Assigns a person to a station or agency: confirmed if the employer orders it, else a proposal."""
    if person is None:
        raise Refused("not_found")
    require_serving(standing(person, context))
    if command.host_kind not in HOSTS:
        raise Refused("unknown_code", kind="host_kind", value=command.host_kind[:40])
    confirmed = context.holds(EMPLOYERS, command.division)
    since = command.since or context.today
    assignment = Assignment(
        id=context.new_id(Assignment.prefix),
        division=given.resolved(command.division, context),
        state="open" if confirmed else ASSIGNMENT.initial,
        live=f"{person.id} {command.host_kind} {command.host_id}",
        person_id=person.id,
        host_kind=command.host_kind,
        host_id=command.host_id,
        area=given.resolved(command.area, context),
        longitude_udeg=coarse(command.longitude_udeg, context),
        latitude_udeg=coarse(command.latitude_udeg, context),
        fields=proficiencies(command.fields, context),
        languages=given.coded_all("language", command.languages or person.languages),
        weekly_capacity=_capacity(command.weekly_capacity, context),
        slots=_slots(command.slots),
        cross_area=command.cross_area,
        since=since,
        until=_until(since, command.until),
        confirmed_by=context.actor if confirmed else None,
        **_of_person(person, context),
    )
    return assignment, told(AssignmentOpened if confirmed else AssignmentProposed, assignment)


def require_serving(person: Person) -> Person:
    """Only an approved person may serve. Refuses `not_serving` with the state."""
    if person.state not in SERVING:
        raise Refused("not_serving", state=person.state)
    return person


def _of_person(person: Person, context: Context) -> dict[str, Any]:
    """What an assignment copies of its person."""
    return {
        "sex": person.sex or "0",
        "level": person.level,
        "registered": registered(person, context.today),
        "registration_until": person.ends_on,
        "account": person.account,
    }


def coarse(position_udeg: int, context: Context) -> int:
    """A coordinate moved to the middle of its cell: about one kilometre is all that anybody is told."""
    cell: int = context.figure("position_cell_udeg")
    return position_udeg // cell * cell + cell // 2


def proficiencies(fields: Mapping[str, int], context: Context) -> dict[str, int]:
    """Fields of service with proficiency from 1 up. Refuses none at all, unknown ones, and degrees out of range."""
    most: int = context.figure("proficiency_max")
    if not fields:
        raise Refused("particular_missing", field="fields")
    for field, degree in fields.items():
        CODES["field"].require(field)
        if not 1 <= degree <= most:
            raise Refused("proficiency_out_of_range", field=field, given=degree, most=most)
    return dict(sorted(fields.items()))


def _capacity(times_a_week: int, context: Context) -> int:
    if given.capacity(times_a_week, context) < 1:
        raise Refused("capacity_out_of_range", given=times_a_week, least=1)
    return times_a_week


def _slots(slots: tuple[int, ...]) -> tuple[int, ...]:
    if any(slot not in SLOTS for slot in slots):
        raise Refused("slot_out_of_range", last=SLOTS[-1])
    return tuple(sorted(set(slots)))


def _until(since: date, until: date | None) -> date | None:
    if until is not None and until < since:
        raise Refused("ends_before_it_begins", since=since.isoformat(), until=until.isoformat())
    return until


def told(event: type[E], assignment: Assignment) -> E:
    """The event with everything that matching needs."""
    copied = {name: getattr(assignment, name) for name in event.__struct_fields__ if name != "assignment_id"}
    return event(assignment_id=assignment.id, **copied)


def _ended(assignment: Assignment, reason: str) -> AssignmentEnded:
    return AssignmentEnded(
        assignment_id=assignment.id, person_id=assignment.person_id, division=assignment.division, reason=reason
    )


@decides(
    ConfirmAssignment,
    on=Assignment,
    key="assignment_id",
    also={"person": (Person, lambda assignment, command: assignment.person_id)},
)
def confirm_assignment(
    assignment: Assignment, command: ConfirmAssignment, context: Context, *, person: Person
) -> tuple[Any, ...]:
    """The employer confirms what was proposed; from now on the worker can be matched."""
    state = ASSIGNMENT.move("confirm", assignment.state)
    require_serving(standing(person, context))
    assignment = replace(assignment, state=state, confirmed_by=context.actor, **_of_person(person, context))
    return assignment, told(AssignmentOpened, assignment)


@decides(ChangeAssignment, on=Assignment, key="assignment_id")
def change_assignment(assignment: Assignment, command: ChangeAssignment, context: Context) -> tuple[Any, ...]:
    """Changes area, place, fields, capacity or times; matching hears of it where it is open."""
    if assignment.state not in LIVE:
        raise Refused("wrong_state", machine="assignment", move="change", state=assignment.state, possible=[])
    changes = _changes(assignment, command, context)
    if all(getattr(assignment, name) == value for name, value in changes.items()):
        raise Refused("nothing_changed")
    assignment = replace(assignment, **changes)
    return (assignment, told(AssignmentChanged, assignment)) if assignment.state == "open" else (assignment,)


def _changes(assignment: Assignment, command: ChangeAssignment, context: Context) -> dict[str, Any]:
    """What becomes different: only what was given, checked as on opening."""
    checks: dict[str, Callable[[Any], Any]] = {
        "area": lambda code: given.resolved(code, context),
        "longitude_udeg": lambda udeg: coarse(udeg, context),
        "latitude_udeg": lambda udeg: coarse(udeg, context),
        "fields": lambda fields: proficiencies(fields, context),
        "languages": lambda codes: given.coded_all("language", codes),
        "weekly_capacity": lambda times: _capacity(times, context),
        "slots": _slots,
        "cross_area": bool,
        "until": lambda until: _until(assignment.since, until),
    }
    asked = {name: getattr(command, name) for name in checks}
    return {name: checks[name](value) for name, value in asked.items() if value is not None}


@decides(
    RefreshAssignment,
    on=Assignment,
    key="assignment_id",
    also={"person": (Person, lambda assignment, command: assignment.person_id)},
)
def refresh_assignment(
    assignment: Assignment, command: RefreshAssignment, context: Context, *, person: Person
) -> tuple[Any, ...]:
    """Follows the person: pauses while the person may not serve, resumes after, ends with the person's leaving."""
    if assignment.state not in LIVE:
        return (assignment,)
    if person.state in ("retired", "erased"):
        return _end(assignment, person.state, context, person.state)
    serves = person.state in SERVING and person.merged_into is None
    fresh = replace(assignment, **_of_person(person, context))
    if assignment.state == "open" and not serves:
        reason = "merged" if person.merged_into else person.state
        return replace(fresh, state=ASSIGNMENT.move("pause", "open")), _ended(fresh, reason)
    if assignment.state == "paused" and serves:
        fresh = replace(fresh, state=ASSIGNMENT.move("resume", "paused"))
        return fresh, told(AssignmentOpened, fresh)
    if assignment.state == "open" and fresh != assignment:
        return fresh, told(AssignmentChanged, fresh)
    return (fresh,)


@decides(EndAssignment, on=Assignment, key="assignment_id")
def end_assignment(assignment: Assignment, command: EndAssignment, context: Context) -> tuple[Any, ...]:
    """Ends an assignment; the worker is matched under it no more. What was typed as the reason stays in the record."""
    return _end(assignment, command.reason, context, "ended")


def _end(assignment: Assignment, because: str, context: Context, code: str) -> tuple[Any, ...]:
    state = ASSIGNMENT.move("end", assignment.state)
    assignment = replace(assignment, state=state, live=None, ended_on=context.today, ended_because=because)
    return assignment, _ended(assignment, code)
