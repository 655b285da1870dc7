"""What every service answers alike: its streams, its heads, its audit trail, who looked at a person, what is parked."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

import msgspec

from banyan.kernel.message import ACCOUNT, ANYONE, SYSTEM, Query

Position = Annotated[int, msgspec.Meta(ge=0)]
Page = Annotated[int, msgspec.Meta(ge=1, le=500)]
FILE_PART_BYTES = 600_000
"""Every part of a file but the last has so many, which fit into an RPC body of 1 MiB as base64."""
FilePartNumber = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a file to download, counted from 0; name, type, size in bytes and SHA-256 are the whole file's."""

    name: str
    media_type: str
    size: int
    digest: str
    part: int
    content: bytes


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a stream in order, each with its proof, as they were stored; `head` is the stream's last position."""

    items: list[msgspec.Raw]
    head: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what still counts up to a signed head, in order of position; after the last page, read on from the head."""

    items: list[msgspec.Raw]
    head: msgspec.Raw
    next: str | None = None


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """The last position of every stream of a service."""

    streams: dict[str, str]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One time that somebody changed or saw something of a person."""

    at: dt.datetime
    service: str
    actor: str
    method: str
    outcome: str
    fields: tuple[str, ...] = ()
    reason: str | None = None


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """A page of looks, newest first."""

    items: tuple[Look, ...]
    next: str | None = None


class ParkedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a reaction could not take, or that waits behind one of the same record."""

    subscription: str
    stream: str
    position: str
    aggregate_id: str
    reason: str
    attempts: int
    since: dt.datetime


class ParkedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """All that is parked."""

    items: tuple[ParkedEvent, ...]


class EventsRead(Query, frozen=True, kw_only=True):
    """读取事件流：某位置之后的事件及其校验信息。"""

    may: ClassVar = (SYSTEM, "partner", "audit_admin")
    answer: ClassVar = Items
    lifeline: ClassVar = True
    stream: str
    after: Position = 0
    limit: Page = 200


class EventsSnapshot(Query, frozen=True, kw_only=True):
    """读取事件流的快照：至某一签名头为止仍然有效的事件；读完后从该头的位置接着读事件流。"""

    may: ClassVar = (SYSTEM, "partner", "audit_admin")
    answer: ClassVar = Snapshot
    lifeline: ClassVar = True
    stream: str
    after: Annotated[str, msgspec.Meta(pattern=r"^(\d{1,18}-\d{1,18})?$")] = ""  # `next` of the page before
    limit: Page = 200


class EventsHead(Query, frozen=True, kw_only=True):
    """读取事件流最新的签名头。"""

    may: ClassVar = (SYSTEM, "partner", "audit_admin")
    answer: ClassVar = msgspec.Raw
    lifeline: ClassVar = True
    stream: str


class EventsPositions(Query, frozen=True, kw_only=True):
    """各事件流的最新位置。"""

    may: ClassVar = (SYSTEM, "partner", "audit_admin")
    answer: ClassVar = Positions
    lifeline: ClassVar = True


class AuditRead(Query, frozen=True, kw_only=True):
    """导出审计记录及其校验信息。"""

    may: ClassVar = ("audit_admin",)
    answer: ClassVar = Items
    after: Position = 0
    limit: Page = 200


class WhoLooked(Query, frozen=True, kw_only=True):
    """查询谁在何时查看或变更过某人的信息（本人或审计人员）。"""

    may: ClassVar = ("audit_admin", ACCOUNT)
    answer: ClassVar = Looks
    person_id: str
    before: str | None = None
    limit: Page = 100


class Parked(Query, frozen=True, kw_only=True):
    """查询暂停处理的事件。"""

    may: ClassVar = (SYSTEM, "system_admin")
    answer: ClassVar = ParkedEvents


class Health(Query, frozen=True, kw_only=True):
    """服务是否就绪。"""

    may: ClassVar = (ANYONE,)
    answer: ClassVar = dict[str, str]
    lifeline: ClassVar = True
