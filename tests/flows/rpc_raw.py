"""A foreign program on the broker, and the rubbish that it sends."""

from __future__ import annotations

import json
import random
from typing import Any

import amqp

from banyan.runtime.rpc.tuning import connect
from tests.flows.rpc_processes import PATIENCE_S


class Raw:
    """A foreign program on the broker: any message, and what comes back."""

    def __init__(self, url: str) -> None:
        self.connection = connect(url, "rpc test raw", 0, amqp.connection.frame_writer)
        self.channel = self.connection.channel()
        self.answers: dict[str, Any] = {}
        self.channel.basic_consume("amq.rabbitmq.reply-to", no_ack=True, callback=self._keep)

    def _keep(self, message: Any) -> None:
        self.answers[message.properties["correlation_id"]] = json.loads(message.body)

    def send(self, body: bytes, *, key: str = "main.echo", name: str = "", **properties: Any) -> None:
        given = {"content_type": "application/json", "correlation_id": name, **properties}
        if name:
            given["reply_to"] = "amq.rabbitmq.reply-to"
        self.channel.basic_publish(amqp.Message(body, **given), "nameko-rpc", key, mandatory=True)

    def error(self, name: str) -> list[Any]:
        while name not in self.answers:
            self.connection.drain_events(timeout=PATIENCE_S)
        return list(self.answers[name]["error"]["exc_args"])

    def unanswered(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)


GOOD = b'{"args":[1],"kwargs":{}}'
RUBBISH: dict[str, tuple[bytes, dict[str, Any]]] = {
    "not_json": (b"\xff\xfe{", {}),
    "empty": (b"", {}),
    "a_number": (b"7", {}),
    "no_kwargs": (b'{"args":[1]}', {}),
    "two_arguments": (b'{"args":[1,2],"kwargs":{}}', {}),
    "deep": (b"[" * 100_000, {}),
    "pickle": (GOOD, {"content_type": "application/x-python-serialize"}),
    "deadline_text": (GOOD, {"application_headers": {"nameko.deadline": "soon"}}),
    "token_number": (GOOD, {"application_headers": {"nameko.token": 5}}),
}


def scrambled(body: bytes, rng: random.Random) -> bytes:
    """The body with one to five of its bytes replaced."""
    found = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)
