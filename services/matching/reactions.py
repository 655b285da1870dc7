"""What matching does when something has happened: workers come and go, a request goes on where policy says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from banyan.contracts import matching as m
from banyan.contracts import registry
from banyan.contracts.matching_shapes import Supply
from banyan.kernel.message import Command
from banyan.runtime.events.declare import Envelope, reacts

CRISIS = 3
PAUSES = ("lapsed", "suspended", "merged", "approved")
"""Reasons of AssignmentEnded after which the same assignment may open again; cases taken stay with the worker."""


# --- of registry
@reacts(registry.AssignmentOpened)
def keep_opened(event: registry.AssignmentOpened, envelope: Envelope) -> Iterable[Command]:
    """A confirmed assignment: the worker can be asked."""
    yield _kept(event)


@reacts(registry.AssignmentChanged)
def keep_changed(event: registry.AssignmentChanged, envelope: Envelope) -> Iterable[Command]:
    """New terms of an open assignment."""
    yield _kept(event)


def _kept(event: registry.AssignmentEvent) -> m.KeepWorker:
    same = set(Supply.__struct_fields__) & set(event.__struct_fields__)
    given: dict[str, Any] = {name: getattr(event, name) for name in same}
    supply = Supply(lon_udeg=event.longitude_udeg, lat_udeg=event.latitude_udeg, **given)
    return m.KeepWorker(worker_id=event.assignment_id, division=event.division, supply=supply)


@reacts(registry.AssignmentEnded)
def end_or_pause(event: registry.AssignmentEnded, envelope: Envelope) -> Iterable[Command]:
    """Out of matching at once: for now, or for good."""
    kind = m.SuspendWorker if event.reason in PAUSES else m.EndWorker
    yield kind(worker_id=event.assignment_id, division=event.division, reason=event.reason)


@reacts(registry.PersonMerged)
def note_merged(event: registry.PersonMerged, envelope: Envelope) -> Iterable[Command]:
    """The absorbed id is an alias from now on."""
    yield m.NoteClient(person_id=event.absorbed_id, division=event.division, alias_of=event.survivor_id)


@reacts(registry.PersonUnmerged)
def note_unmerged(event: registry.PersonUnmerged, envelope: Envelope) -> Iterable[Command]:
    """The alias is closed."""
    yield m.NoteClient(person_id=event.absorbed_id, division=event.division)


@reacts(registry.PersonErased)
def note_erased(event: registry.PersonErased, envelope: Envelope) -> Iterable[Command]:
    """The person asked to be forgotten: here too."""
    yield m.NoteClient(person_id=event.person_id, division=event.division, erased=True)


# --- of our own
@reacts(m.RequestTriaged)
def propose_triaged(event: m.RequestTriaged, envelope: Envelope) -> Iterable[Command]:
    """Assessed: candidates are looked for at once; of a crisis ranking only advises."""
    if event.urgency < CRISIS:
        yield m.ProposeWorkers(request_id=event.request_id)


@reacts(m.WorkersProposed)
def dispatch_proposed(event: m.WorkersProposed, envelope: Envelope) -> Iterable[Command]:
    """Where policy says `direct`, the first is asked at once."""
    if event.direct:
        yield m.DispatchNext(request_id=event.request_id)


@reacts(m.OfferDeclined)
def dispatch_after_decline(event: m.OfferDeclined, envelope: Envelope) -> Iterable[Command]:
    """The next one, where policy says `direct`."""
    if event.direct:
        yield m.DispatchNext(request_id=event.request_id)


@reacts(m.OfferExpired)
def dispatch_after_silence(event: m.OfferExpired, envelope: Envelope) -> Iterable[Command]:
    """The next one, where policy says `direct`."""
    if event.direct:
        yield m.DispatchNext(request_id=event.request_id)


@reacts(m.WorkerReleased)
def propose_released(event: m.WorkerReleased, envelope: Envelope) -> Iterable[Command]:
    """A second match begins."""
    if event.urgency < CRISIS:
        yield m.ProposeWorkers(request_id=event.request_id)


@reacts(m.RequestFollowedUp)
def propose_again(event: m.RequestFollowedUp, envelope: Envelope) -> Iterable[Command]:
    """Not well yet: a second match begins."""
    if not event.well and event.urgency < CRISIS:
        yield m.ProposeWorkers(request_id=event.request_id)


@reacts(m.WorkerSuspended)
def pass_on_offers(event: m.WorkerSuspended, envelope: Envelope) -> Iterable[Command]:
    """What was offered goes to the next."""
    yield from (m.ExpireOffer(request_id=id) for id in event.offered)


@reacts(m.WorkerEnded)
def pass_on_all(event: m.WorkerEnded, envelope: Envelope) -> Iterable[Command]:
    """What was offered goes to the next, what was accepted is matched anew."""
    yield from (m.ExpireOffer(request_id=id) for id in event.offered)
    yield from (m.ReleaseWorker(request_id=id, reason="社工服务岗位结束") for id in event.accepted)
