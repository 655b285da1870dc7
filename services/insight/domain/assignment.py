"""Service assignments as figures see them: who serves where and which area is covered, as registry said it."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from banyan.contracts import registry
from banyan.kernel.message import Event
from services.insight.domain.versions import Facts

PROPOSED, OPEN, ENDED = "proposed", "open", "ended"


class AssignmentFacts(Facts, frozen=True, kw_only=True):
    """What is so of an assignment; both days of `since` and `until` are included."""

    person_id: str
    host_kind: str
    host_id: str
    division: str
    area: str
    state: str
    since: date | None
    until: date | None
    level: str
    registered: bool
    weekly_capacity: int


def after(before: AssignmentFacts | None, event: Event) -> AssignmentFacts | None:
    """The facts after an event of registry.assignment; an end without a beginning says nothing."""
    match event:
        case registry.AssignmentEnded():
            return replace(before, state=ENDED) if before else None
        case registry.AssignmentEvent():
            return _told(event, _state(before, event))
    return before


def _state(before: AssignmentFacts | None, event: registry.AssignmentEvent) -> str:
    if isinstance(event, registry.AssignmentProposed):
        return PROPOSED
    if isinstance(event, registry.AssignmentChanged) and before is not None:
        return before.state
    return OPEN


def _told(event: registry.AssignmentEvent, state: str) -> AssignmentFacts:
    return AssignmentFacts(
        person_id=event.person_id,
        host_kind=event.host_kind,
        host_id=event.host_id,
        division=event.division,
        area=event.area,
        state=state,
        since=event.since,
        until=event.until,
        level=event.level,
        registered=event.registered,
        weekly_capacity=event.weekly_capacity,
    )
