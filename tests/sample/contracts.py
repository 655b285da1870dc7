"""Words of the sample service."""

from __future__ import annotations

import datetime as dt
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


class PruneTree(Command, frozen=True, kw_only=True):
    """修剪枝条，枝条送往该树的堆肥处。"""

    may: ClassVar = ("gardener",)
    tree_id: str
    branches: Annotated[int, msgspec.Meta(ge=1)] = 1


class OpenHeap(Command, frozen=True, kw_only=True):
    """为一棵树设立堆肥处。"""

    may: ClassVar = ("gardener",)
    division: str
    tree_id: str


class AddBranches(Command, frozen=True, kw_only=True):
    """枝条入堆。"""

    may: ClassVar = (SYSTEM,)
    heap_id: str
    branches: int


class RestTree(Command, frozen=True, kw_only=True):
    """停止浇水，到某日为止（含该日）。"""

    may: ClassVar = ("gardener",)
    tree_id: str
    until: dt.date


class WakeTree(Command, frozen=True, kw_only=True):
    """休养期满。"""

    may: ClassVar = (SYSTEM,)
    tree_id: str


class RelabelTree(Command, frozen=True, kw_only=True):
    """更换名牌，自某日起有效。"""

    may: ClassVar = ("gardener",)
    tree_id: str
    label: Annotated[str, msgspec.Meta(max_length=40)]
    holds_from: dt.date
    version: int | None = None


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


class TreePruned(Event, frozen=True, kw_only=True):
    """Branches were cut; events of the first release did not say how many, it was always one."""

    stream: ClassVar = "sample.tree"
    tree_id: str
    branches: int = 1


class TreeRested(Event, frozen=True, kw_only=True):
    """A tree is left alone until the end of a day."""

    replaces: ClassVar = True
    stream: ClassVar = "sample.tree"
    tree_id: str
    until: dt.date


class TreeWoken(Event, frozen=True, kw_only=True):
    """Its rest is over."""

    stream: ClassVar = "sample.tree"
    tree_id: str


class TreeRelabelled(Event, frozen=True, kw_only=True):
    """Another label holds from a day on."""

    stream: ClassVar = "sample.tree"
    tree_id: str
    label: str
    effective_on: dt.date


class TreeFelled(Event, frozen=True, kw_only=True):
    """A tree is gone."""

    stream: ClassVar = "sample.tree"
    tree_id: str


class TreeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a gardener sees of a tree."""

    id: str
    state: str
    litres: int
    label: str = ""
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


class TreeAsOf(Query, frozen=True, kw_only=True):
    """某日的树，以及某时所知的那一日。"""

    may: ClassVar = ("gardener",)
    answer: ClassVar = TreeSeen
    tree_id: str
    on: dt.date
    known_at: dt.datetime | None = None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What day it is for every rule, and a figure of that day."""

    today: dt.date
    now: dt.datetime
    litres_most: int


class Almanac(Query, frozen=True, kw_only=True):
    """今天是哪一天，今天的浇水上限是多少。"""

    may: ClassVar = ("gardener",)
    answer: ClassVar = Day
