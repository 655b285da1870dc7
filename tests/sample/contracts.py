"""Words of the sample service."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from banyan.kernel.message import ANYONE, SYSTEM, Bulk, Command, Event, Query
from banyan.kernel.personal import Private, personal


class PlantTree(Command, frozen=True, kw_only=True):
    """种下一棵树。"""

    may: ClassVar = ("gardener",)
    division: str
    label: Annotated[str, msgspec.Meta(max_length=40)]
    owner: Annotated[str, personal("name", "认养人", 365)] = ""


class WaterTree(Command, frozen=True, kw_only=True):
    """浇水。"""

    may: ClassVar = ("gardener", SYSTEM)
    tree_id: str
    litres: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    version: int | None = None


class WaterTrees(Bulk, frozen=True, kw_only=True):
    """批量浇水。"""

    may: ClassVar = ("gardener",)
    each: ClassVar = WaterTree
    items: tuple[WaterTree, ...]


class FellTree(Command, frozen=True, kw_only=True):
    """伐倒一棵树。"""

    may: ClassVar = ("gardener",)
    tree_id: str
    reason: str


class ForgetOwner(Command, frozen=True, kw_only=True):
    """删除认养人的个人信息。"""

    may: ClassVar = ("gardener",)
    tree_id: str


class ReportStorm(Command, frozen=True, kw_only=True):
    """报告风灾：封存失败时也照办。"""

    may: ClassVar = (ANYONE,)
    lifeline: ClassVar = True
    division: str
    label: str


class TreePlanted(Event, frozen=True, kw_only=True):
    """A tree stands."""

    stream: ClassVar = "sample.tree"
    tree_id: str
    division: str
    label: str
    owner: Private | None = None


class TreeWatered(Event, frozen=True, kw_only=True):
    """A tree got water."""

    stream: ClassVar = "sample.tree"
    tree_id: str
    litres: int


class TreeFelled(Event, frozen=True, kw_only=True):
    """A tree is gone."""

    stream: ClassVar = "sample.tree"
    tree_id: str


class TreeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a gardener sees of a tree."""

    id: str
    state: str
    litres: int
    owner: str | None = None


class SeeTree(Query, frozen=True, kw_only=True):
    """查看一棵树。"""

    may: ClassVar = ("gardener",)
    answer: ClassVar = TreeSeen
    tree_id: str


class CountTrees(Query, frozen=True, kw_only=True):
    """管辖范围内有几棵树。"""

    may: ClassVar = ("gardener",)
    answer: ClassVar = dict[str, int]
