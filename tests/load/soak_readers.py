"""The soak's readers: one follows a stream over HTTP, one takes its own queue; both as a partner's process would."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from banyan.cli.laptop import Laptop
from banyan.cli.seed import Seeder
from banyan.contracts.identity import AgreePartner
from banyan.demo.api import Actor, Api, Problem
from banyan.demo.world import PROVINCE
from tests.partners import Partner

STREAM = "matching.request"
NAME = "soak"
PAGE, WAIT_S, PAUSE_S = 500, 5, 1.0


class Reader(threading.Thread, abc.ABC):
    """Reads a stream on and on, each page after the last position that it has."""

    def __init__(self, title: str) -> None:
        super().__init__(daemon=True, name=title)
        self.items: list[bytes] = []
        self.wrong: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        """Until it is stopped; what breaks is tried again, what may not be is written down."""
        while not self.stopped.is_set():
            try:
                self.more()
            except AssertionError as error:
                self.wrong.append(f"{self.name}：{error}")
                return
            time.sleep(PAUSE_S)

    @abc.abstractmethod
    def more(self) -> None:
        """The items that have come."""


class FeedReader(Reader):
    """The feed of HTTP, by long poll."""

    def __init__(self, api: Api, partner: Actor) -> None:
        super().__init__("HTTP 事件流读者")
        self._api, self._partner = api, partner

    def more(self) -> None:
        """One page after what is there already."""
        try:
            query: dict[str, Any] = {"after": len(self.items), "limit": PAGE, "wait": WAIT_S}
            answer = self._api.get(self._partner, f"/v1/streams/{STREAM}", **query)
        except (httpx.HTTPError, Problem):
            return
        self.items += [bytes(item) for item in msgspec.json.decode(answer.content, type=list[msgspec.Raw])]


class QueueReader(Reader):
    """A partner's own queue, which the outlet fills by its agreement."""

    def __init__(self, laptop: Laptop) -> None:
        super().__init__("订阅方队列读者")
        self.partner = Partner(laptop.settings().amqp_url, laptop.rabbit.admin_url, NAME)
        seeder = Seeder(laptop.settings())
        account, _ = seeder.account(NAME, ("partner",), PROVINCE)
        agreement = AgreePartner(
            division=PROVINCE, partner=account, name=NAME, streams={STREAM: ("*",)}, queue=True,
            purpose="浸泡测试", legal_basis="浸泡测试",
        )  # fmt: skip
        seeder.run((f"soak:{account}", agreement))
        seeder.close()
        self.items = self.partner.items

    def more(self) -> None:
        """What waits in the queue; positions that came before are dropped."""
        self.partner.take()


def caught_up(readers: Sequence[Reader], position: int, until: float) -> list[str]:
    """Waits until each reader has everything up to a position; names those that lack something."""
    while any(len(reader.items) < position for reader in readers) and time.monotonic() < until:
        time.sleep(PAUSE_S)
    lacking = [f"{r.name}：只得到 {len(r.items)} 个事件，共 {position} 个" for r in readers if len(r.items) < position]
    return lacking + [wrong for reader in readers for wrong in reader.wrong]
