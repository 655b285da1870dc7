"""Callers that water one tree and never give up: each keeps its key until it is answered."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from banyan.kernel.refusal import Refused
from tests.instance import Instance

AGAIN = {"unavailable", "record_busy", "unknown_service", "outcome_unknown", "deadline_past"}
CALL_S = 3.0


class Load:
    """Counts what was answered; `others` are the refusals that no fault explains."""

    def __init__(self, platform: Instance, tree_id: str, callers: int) -> None:
        self.platform, self.tree_id = platform, tree_id
        self.answered = 0
        self.others: list[Refused] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._water, daemon=True) for _ in range(callers)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def finish(self, limit_s: float = 60.0) -> None:
        """Lets every caller end the order it has begun."""
        self._stop.set()
        until = time.monotonic() + limit_s
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
            assert not thread.is_alive(), "a caller is still without an answer"

    def _water(self) -> None:
        while not self._stop.is_set():
            key = str(uuid.uuid4())
            while not self._once(key):
                time.sleep(0.05)

    def _once(self, key: str) -> bool:
        try:
            self.platform.command("water_tree", key=key, timeout_s=CALL_S, tree_id=self.tree_id, litres=1)
        except Refused as refused:
            if refused.code in AGAIN:
                return False
            self.others.append(refused)
            return True
        with self._lock:
            self.answered += 1
        return True


@contextmanager
def watering(platform: Instance, tree_id: str, callers: int = 4) -> Iterator[Load]:
    """Load while the block runs; afterwards every order has its answer."""
    load = Load(platform, tree_id, callers)
    load.start()
    time.sleep(0.5)
    yield load
    time.sleep(0.5)
    load.finish()
