"""What can be exported: each table's columns with their 中文 titles and types, and the words that choose within it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum

import msgspec

from banyan.kernel import cells


class Kind(Enum):
    """What a column holds. Codes and ids are texts; numbers are whole."""

    TEXT = "text"
    WHOLE = "whole"
    YES = "yes"
    DAY = "day"
    INSTANT = "instant"


@dataclass(frozen=True)
class Column:
    """One column: its name for programs, its title for people."""

    name: str
    title: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """One table: its title, its columns, and the words that `of` may be (the first one where it is left out)."""

    title: str
    columns: tuple[Column, ...]
    of: tuple[str, ...] = ()
    of_needed: bool = True  # False: nothing chosen means all


class About(msgspec.Struct, frozen=True):
    """What is told of a file beside its rows: labels with values, how many cases it does not show, and its day."""

    told: dict[str, str]
    not_shown: int
    on: date

    @property
    def hidden(self) -> str:
        """The sentence about what is not shown; empty where all is."""
        return f"另有 {self.not_shown} 件受保护个案未显示" if self.not_shown else ""


MEDIA_TYPES: Mapping[str, str] = {
    "csv": cells.MEDIA_TYPE,
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
POPULATIONS = {
    "professional": "社会工作专业人才",
    "certified": "持证",
    "registered": "登记",
    "community_worker": "社区工作者",
    "certified_community_worker": "持证社区工作者",
}
ASSIGNED = {"assigned": "任职"}
REQUEST_FIGURES = {
    "taken": "受理",
    "open": "未结",
    "waiting": "待接单",
    "accepted": "接单",
    "served": "已服务",
    "ended": "结束",
    "declined": "被退单",
    "escalated": "上移",
}
REQUEST_SUMS = {
    "offers": "派单次数",
    "declines": "退单次数",
    "expired": "逾时次数",
    "overrides": "人工改派次数",
    "escalations": "上移次数",
    "minutes_served": "服务分钟",
}
WAITS = {
    "count": "接单件数",
    "p50": "等待中位数（分钟）",
    "p90": "等待九成位数（分钟）",
    "longest": "最长等待（分钟）",
}
PUBLISHED_REQUESTS = {"requests_taken": "受理需求", "requests_served": "已服务需求"}
FLAWS = (
    "assignment_without_person",
    "certified_not_recognised",
    "correction_asked",
    "division_uncounted",
    "duplicate_suspected",
    "registration_past",
    "request_still",
    "worker_without_assignment",
)
MEASURES = (*POPULATIONS, "villages_served", "requests_taken", "requests_ended")


def _columns(kind: Kind, /, **titles: str) -> tuple[Column, ...]:
    return tuple(Column(name, title, kind) for name, title in titles.items())


def _texts(**titles: str) -> tuple[Column, ...]:
    return _columns(Kind.TEXT, **titles)


def _wholes(**titles: str) -> tuple[Column, ...]:
    return _columns(Kind.WHOLE, **titles)


_PLACE = _texts(division="区划代码", name="名称")
_AT = "（北京时间）"
TABLES: Mapping[str, Table] = {
    "people": Table("人才队伍", (*_PLACE, *_wholes(**POPULATIONS, **ASSIGNED))),
    "people_list": Table(
        "人员清单",
        (
            *_texts(person_id="人员编号", division="区划代码", state="状态", level="级别", talent_basis="人才依据"),
            *_columns(Kind.YES, community_worker="社区工作者"),
            *_columns(Kind.DAY, registration_until="登记期至"),
        ),
        of=(*POPULATIONS, *ASSIGNED),
    ),
    "requests": Table(
        "服务需求",
        (*_texts(code="代码", name="名称"), *_wholes(**REQUEST_FIGURES, **REQUEST_SUMS, **WAITS)),
    ),
    "request_list": Table(
        "服务需求清单",
        (
            *_texts(request_id="需求编号", division="区划代码", field="领域", client_group="对象群体"),
            *_wholes(urgency="紧急程度"),
            *_texts(state="状态"),
            *_columns(
                Kind.INSTANT,
                taken_at=f"受理时间{_AT}",
                accepted_at=f"接单时间{_AT}",
                ended_at=f"结束时间{_AT}",
            ),
            *_texts(ending="结束方式"),
            *_wholes(wait_min="等待（分钟）", declines="退单次数", escalations="上移次数"),
        ),
        of=tuple(REQUEST_FIGURES),
    ),
    "worker_list": Table(
        "在岗社工清单",
        (
            *_texts(worker_id="派驻编号", division="区划代码"),
            *_wholes(weekly_capacity="每周可服务次数", offered="待答复", accepted="已接单"),
        ),
    ),
    "targets": Table(
        "目标",
        (
            *_texts(title="目标", plan="规划", choice_name="口径"),
            *_wholes(goal="目标值"),
            *_columns(Kind.DAY, due_on="到期日", since="自何日起"),
            *_wholes(frozen="到期日冻结值", count="现值", of="分母", per_thousand="千分数", needed="所需"),
            *_columns(Kind.YES, met="是否达到"),
        ),
    ),
    "trend": Table("走势", (*_columns(Kind.DAY, on="日期"), *_wholes(value="数值")), of=MEASURES),
    "bulletin": Table("公报", (*_PLACE, *_wholes(**POPULATIONS, **PUBLISHED_REQUESTS))),
    "flaws": Table("数据质量清单", _texts(kind="问题", id="编号", division="区划代码"), of=FLAWS, of_needed=False),
}
