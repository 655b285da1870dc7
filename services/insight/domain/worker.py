"""Workers on call as figures see them: places, offers out, cases accepted."""

from __future__ import annotations

from msgspec.structs import replace

from banyan.contracts import matching
from services.insight.domain.versions import Facts

ON_CALL, SUSPENDED, ENDED = "on_call", "suspended", "ended"


class WorkerFacts(Facts, frozen=True, kw_only=True):
    """What is so of a worker; the load is offers out and cases accepted, against places a week."""

    division: str
    state: str = ON_CALL
    weekly_capacity: int = 0
    offered: int = 0
    accepted: int = 0


def after(before: WorkerFacts | None, event: matching.OfWorker) -> WorkerFacts:
    """The facts after an event of matching.worker."""
    known = replace(before, division=event.division) if before else WorkerFacts(division=event.division)
    match event:
        case matching.WorkerKept() | matching.WorkerChanged():
            return replace(known, state=ON_CALL, weekly_capacity=event.weekly_capacity)
        case matching.WorkerLoadChanged():
            return replace(known, offered=event.offered, accepted=event.accepted)
        case matching.WorkerSuspended():
            return replace(known, state=SUSPENDED)
        case matching.WorkerEnded():
            return replace(known, state=ENDED)
    return known
