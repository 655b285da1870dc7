"""What tests of partners need: an agreement as the services' copy has it, and a partner's own end of its queue."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import msgspec
import psycopg

from banyan.cli.partner import add, remove
from banyan.contracts.identity import PartnerAgreed
from banyan.runtime.events import reference
from banyan.runtime.events.declare import Envelope
from banyan.runtime.events.outlet import queue_of
from banyan.runtime.events.subscribe import Item
from banyan.runtime.host.reference import STREAM

QUIET_S = 0.3
SINCE = dt.date(2020, 1, 1)
THEN = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
PLANTED = "cn.banyan.sample.tree.planted.v1"
WATERED = "cn.banyan.sample.tree.watered.v1"


def agree(
    database: str, account: str, *types: str, stream: str = "sample.tree", fields: Any = None, **change: Any
) -> PartnerAgreed:
    """Folds an agreement into a service's copy of the reference data, as identity's event does."""
    known = {"name": account, "queue": False, "since": SINCE, "purpose": "试验", "legal_basis": "试验", **change}
    agreed = PartnerAgreed(partner=account, streams={stream: fields or types or ("*",)}, **known)
    envelope = Envelope(
        id="e-1",
        stream=STREAM,
        position=1,
        type=PartnerAgreed.type_name(),
        aggregate_id="pt-1",
        aggregate_version=1,
        effective_on=THEN.date(),
        recorded_at=THEN,
        known_at=THEN,
    )
    with psycopg.connect(database) as connection:
        reference.keep(connection, STREAM, [Item(envelope, msgspec.to_builtins(agreed), b"")])
    return agreed


class Partner:
    """A partner's process: its own broker user, its own queue, and the position that it has come to."""

    def __init__(self, amqp_url: str, admin_url: str, name: str) -> None:
        self.name, self._admin_url = name, admin_url
        self.address = add(amqp_url, admin_url, name)
        self.items: list[bytes] = []
        self.repeated = 0
        self._connection: Any = None

    def connect(self) -> Any:
        """A channel as the partner's user."""
        parts = urlsplit(self.address)
        self.close()
        self._connection = amqp.Connection(
            f"{parts.hostname}:{parts.port}",
            userid=parts.username,
            password=parts.password,
            virtual_host=unquote(parts.path[1:]),
        )
        self._connection.connect()
        return self._connection.channel()

    def take(self) -> int:
        """Takes what waits, until a moment without any or a failure; keeps the next position, drops an older one."""
        with contextlib.suppress(amqp.exceptions.AMQPError, OSError):  # a TimeoutError is one: nothing came
            channel = self.connect()
            channel.basic_qos(0, 200, False)
            channel.basic_consume(queue_of(self.name), callback=lambda message: self._keep(channel, message))
            while True:
                self._connection.drain_events(timeout=QUIET_S)
        self.close()
        return len(self.items)

    def _keep(self, channel: Any, message: Any) -> None:
        body = message.body if isinstance(message.body, bytes) else message.body.encode()
        position = int(json.loads(body)["streamposition"])
        assert position <= len(self.items) + 1, f"{position} after {len(self.items)}: something was lost"
        if position == len(self.items) + 1:
            self.items.append(body)
        else:
            self.repeated += 1
        channel.basic_ack(message.delivery_tag)

    def waiting(self) -> bool:
        """Whether the queue is there and the partner may come to it."""
        try:
            self.connect().queue_declare(queue_of(self.name), passive=True)
        except (amqp.exceptions.AMQPError, OSError):
            return False
        finally:
            self.close()
        return True

    def close(self) -> None:
        """Goes offline."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()

    def gone(self) -> None:
        """Takes the vhost and the user away."""
        self.close()
        remove(self._admin_url, self.name)
