"""Channels that bring a notice to a person. The file channel writes what it would have sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

from banyan.runtime.host.settings import Settings


class Undelivered(Exception):
    """The channel could not bring the notice; the next one is tried."""


class Channel(Protocol):
    """One way to a person: answers the channel's receipt or raises Undelivered."""

    name: str

    def send(self, notice_id: int, recipient: str, text: str) -> str: ...


class FileChannel:
    """Appends each notice as a JSON line; the receipt is the notice's own number, so a second sending is seen."""

    def __init__(self, path: Path, name: str = "file") -> None:
        self.name, self._path = name, path
        path.parent.mkdir(parents=True, exist_ok=True)

    def send(self, notice_id: int, recipient: str, text: str) -> str:
        """Writes the line whole and to the disk."""
        if recipient in unreachable(self._path.with_suffix(".unreachable")):
            raise Undelivered(f"{recipient} 无法送达")
        line = json.dumps({"notice": notice_id, "channel": self.name, "to": recipient, "text": text}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        return f"{self.name}-{notice_id}"


class NoChannel:
    """A channel that this instance has no adapter for: it brings nothing, and says so."""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, notice_id: int, recipient: str, text: str) -> str:
        """Always undelivered."""
        raise Undelivered(f"通知渠道 {self.name} 未配置")


def channel_named(settings: Settings, service: str, name: str) -> Channel:
    """The adapter of a channel: a file in demo and test, in production what `notice_channels` sets, else none."""
    if settings.mode == "production" and name not in settings.notice_channels:
        return NoChannel(name)
    return FileChannel(settings.run / f"notices-{service}.jsonl", name)


def unreachable(path: Path) -> set[str]:
    """The recipients that this channel cannot reach, one a line: how demo and test make a delivery fail."""
    return set(path.read_text("utf-8").split()) if path.exists() else set()
