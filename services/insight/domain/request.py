"""Requests as figures see them: where, what, how urgent, and each milestone's instant, never who."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from banyan.contracts import matching
from services.insight.domain.versions import Facts

WAITING, ACCEPTED, SERVING, COMPLETED, ENDED = "waiting", "accepted", "serving", "completed", "ended"


class RequestFacts(Facts, frozen=True, kw_only=True):
    """What is so of a request. Instants are those of the first time, but `completed_at` that of the last."""

    division: str
    field: str
    client_group: str
    urgency: int
    protected: bool
    state: str
    taken_at: datetime
    accepted_at: datetime | None = None
    wait_min: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    ended_at: datetime | None = None
    ending: str | None = None
    acknowledged_s: int | None = None
    offers: int = 0
    declines: int = 0
    expired: int = 0
    overrides: int = 0
    escalations: int = 0
    minutes_served: int = 0
    worker_id: str | None = None


def after(before: RequestFacts | None, event: matching.OfRequest) -> RequestFacts:
    """The facts after an event of matching.request."""
    place = {name: getattr(event, name) for name in ("division", "field", "client_group", "urgency", "protected")}
    if before is None:
        before = RequestFacts(state=WAITING, taken_at=event.at, **place)
    change = _CHANGES.get(type(event))
    return replace(before, **place, **(change(before, event) if change else {}))


def _accepted(before: RequestFacts, event: matching.OfferAccepted) -> dict[str, Any]:
    again = {"state": ACCEPTED, "worker_id": event.worker_id}
    return again if before.accepted_at else again | {"accepted_at": event.at, "wait_min": event.wait_min}


def _followed_up(before: RequestFacts, event: matching.RequestFollowedUp) -> dict[str, Any]:
    """Well: the case ends as completed. Not well: it is open again and waits for a worker."""
    if event.well:
        return {"state": ENDED, "ended_at": event.at, "ending": "completed"}
    return {"state": WAITING, "completed_at": None, "worker_id": None}


def _more(counter: str) -> Callable[[RequestFacts, Any], dict[str, Any]]:
    return lambda before, event: {counter: getattr(before, counter) + 1}


_CHANGES: dict[type[matching.OfRequest], Callable[[RequestFacts, Any], dict[str, Any]]] = {
    matching.OfferMade: _more("offers"),
    matching.OfferDeclined: _more("declines"),
    matching.OfferExpired: _more("expired"),
    matching.DispatchOverridden: _more("overrides"),
    matching.CrisisClimbed: _more("escalations"),
    matching.CrisisAcknowledged: lambda before, event: {"acknowledged_s": event.wait_s},
    matching.OfferAccepted: _accepted,
    matching.WorkerReleased: lambda before, event: {"state": WAITING, "worker_id": None},
    matching.ServiceStarted: lambda before, event: {"state": SERVING, "started_at": before.started_at or event.at},
    matching.ServiceCompleted: lambda before, event: {
        "state": COMPLETED,
        "completed_at": event.at,
        "minutes_served": before.minutes_served + event.minutes_served,
    },
    matching.RequestFollowedUp: _followed_up,
    matching.RequestClosed: lambda before, event: {"state": ENDED, "ended_at": event.at, "ending": event.ending},
}
