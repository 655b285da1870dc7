"""What the subscriptions of a service apply: reactions give commands to its bus, projections fold into its tables."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import structlog

from banyan.kernel.message import SYSTEM, Event, contracts
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.bus import Bus
from banyan.runtime.commands.store import Db
from banyan.runtime.events import park
from banyan.runtime.events.subscribe import Apply, Item, event_of
from banyan.runtime.host import telemetry
from banyan.runtime.host.service import Service

log = structlog.get_logger()
RETRIES_S = (0.05, 0.2, 1.0)  # pauses before a reaction is tried again; then it is parked
PASSING = ("unavailable", "record_busy", "deadline_past", "audit_unsealed")  # not the event's fault: the whole batch waits


def kinds_of(streams: Sequence[str], service: Service) -> dict[str, type[Event]]:
    """Every event type of the services that the streams belong to."""
    found: dict[str, type[Event]] = dict(service.events)
    for name in {stream.split(".", 1)[0] for stream in streams} - {service.name}:
        module = importlib.import_module(f"banyan.contracts.{name}")
        found.update({event.type_name(): event for event in contracts(module, Event)})
    return found


def reaction_kinds(service: Service) -> dict[str, type[Event]]:
    """The event types that a service reacts to."""
    return {event.type_name(): event for event in service.reactions}


def reacting(bus: Bus, subscription: str) -> Apply:
    """Runs each event's reaction; one that fails is parked and its aggregate's later events wait."""
    kinds = reaction_kinds(bus.service)

    def apply(connection: Any, stream: str, items: Sequence[Item]) -> None:
        waiting = park.waiting(connection, subscription, stream)
        for item in items:
            if item.envelope.aggregate_id in waiting:
                park.put(connection, subscription, item, reason="waits_behind")
                continue
            failure = react(bus, subscription, item, kinds)
            if failure is not None:
                park.put(connection, subscription, item, reason=failure)
                waiting.add(item.envelope.aggregate_id)

    return apply


def react(bus: Bus, subscription: str, item: Item, kinds: dict[str, type[Event]]) -> str | None:
    """Runs one event's commands under keys of their own; None where all took effect, else why not."""
    if item.envelope.type not in kinds:
        return None
    with telemetry.span(f"{bus.service.name}.{subscription}", item.envelope.traceparent) as span:
        return _react(bus, subscription, item, kinds, span)


def _react(
    bus: Bus, subscription: str, item: Item, kinds: dict[str, type[Event]], span: telemetry.Span
) -> str | None:
    failure = None
    for pause_s in (*RETRIES_S, None):
        try:
            event = event_of(item, kinds)
            if event is not None:
                commands = bus.service.reactions[type(event)](event, item.envelope)
                for number, command in enumerate(commands):
                    key = f"{subscription}:{item.envelope.id}:{number}"
                    bus.system(command, key, span.traceparent, binds=False)
            return None
        except psycopg.OperationalError:
            raise
        except Exception as error:  # a reaction that cannot take its event must not stop the others
            if isinstance(error, Refused) and error.code in PASSING:
                raise
            failure = repr(error)
            log.warning("事件暂未生效", subscription=subscription, event_type=item.envelope.type, error=failure)
        if pause_s is not None:
            time.sleep(pause_s)
    return failure


def projecting(bus: Bus, fold: Callable[[str], Callable[..., Any]]) -> Apply:
    """Folds a batch of one stream in the cursor's transaction; an error stops the subscription there and alerts."""
    service = bus.service
    kinds = kinds_of(list(service.projections), service)

    def apply(connection: Any, stream: str, items: Sequence[Item]) -> None:
        batch = [(item.envelope, event) for item in items if (event := event_of(item, kinds)) is not None]
        if batch:
            context = bus.context(connection, service.system_caller, items[-1].envelope.known_at, (SYSTEM,))
            traces = (envelope.traceparent for envelope, _ in batch)
            with telemetry.spans(f"{service.name}.projections.{stream}", traces):
                fold(stream)(batch, Db(connection, bus.vault, context, service=service.name))

    return apply
