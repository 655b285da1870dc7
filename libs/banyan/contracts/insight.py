"""insight: questions about the whole: figures by division as of any day, the lists behind them, targets, alerts.

`as_of` names the snapshot by stream positions; left out, it is the newest. A figure and its list, asked with the same
`as_of`, always agree. `on` is a day in Shanghai, its end is meant; left out, today.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

import msgspec

from banyan.contracts import insight_shapes as shapes
from banyan.kernel.message import SYSTEM, Query

PROVINCE = "350000000000"
READERS = (
    "analyst",
    "registrar",
    "city_registrar",
    "county_officer",
    "duty_officer",
    "station_lead",
    "organisation",
    "human_resources",
    "finance",
    "supervision",
)
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]
ExportLimit = Annotated[int, msgspec.Meta(ge=1, le=5000)]


class About(Query, frozen=True, kw_only=True):
    """What every question names: an area, the day, the snapshot."""

    abstract: ClassVar = True
    may: ClassVar[tuple[str, ...]] = READERS
    division: str
    on: date | None = None
    as_of: dict[str, int] | None = None


class People(About, frozen=True, kw_only=True):
    """人才队伍：人才、持证、登记、社区工作者、任职人数，按下一级分列，附分母。"""

    answer: ClassVar = shapes.PeopleView


class ListPeople(About, frozen=True, kw_only=True):
    """某一人数背后的名单（编号与代码）。population 同 People 各项人数的名称。"""

    answer: ClassVar = shapes.PeopleList
    population: str
    limit: Limit = 100
    next: str | None = None


class RequestFigures(About, frozen=True, kw_only=True):
    """服务需求：受理、未结、接单、服务、结束、等待时间，按紧急程度、领域、对象群体分列。"""

    answer: ClassVar = shapes.RequestsView
    since: date | None = None


class ListRequests(About, frozen=True, kw_only=True):
    """某一件数背后的清单；受保护个案只计入 not_shown（另有 n 件未显示）。"""

    answer: ClassVar = shapes.RequestList
    figure: str
    since: date | None = None
    urgency: int | None = None
    field: str | None = None
    client_group: str | None = None
    ending: str | None = None
    limit: Limit = 100
    next: str | None = None


class Loads(About, frozen=True, kw_only=True):
    """在岗社工的负荷分布。"""

    answer: ClassVar = shapes.LoadsView


class ListWorkers(About, frozen=True, kw_only=True):
    """负荷背后的社工清单（编号与数字）。"""

    answer: ClassVar = shapes.WorkerList
    limit: Limit = 100
    next: str | None = None


class Targets(About, frozen=True, kw_only=True):
    """目标：到期日冻结值、现值、是否达到、自何日起。"""

    answer: ClassVar = shapes.TargetsView
    division: str = PROVINCE


class Trend(About, frozen=True, kw_only=True):
    """某一指标的逐月走势。"""

    answer: ClassVar = shapes.TrendView
    measure: str
    since: date


class Bulletin(About, frozen=True, kw_only=True):
    """对外公报：小数格已隐去，且不能由合计推算。"""

    answer: ClassVar = shapes.BulletinView


class Flaws(About, frozen=True, kw_only=True):
    """数据质量清单。"""

    answer: ClassVar = shapes.FlawList
    kind: str | None = None
    limit: Limit = 100
    next: str | None = None


class Alerts(About, frozen=True, kw_only=True):
    """提醒：目标滑落或未达到；事件未及时计入统计。"""

    may: ClassVar[tuple[str, ...]] = (*READERS, "system_admin", SYSTEM)
    answer: ClassVar = shapes.AlertsView
    division: str = PROVINCE


class Export(About, frozen=True, kw_only=True):
    """导出 CSV。table：people、people_list、requests、request_list、targets、bulletin、flaws。"""

    answer: ClassVar = shapes.ExportView
    table: str
    of: str | None = None
    since: date | None = None
    limit: ExportLimit = 2000
    next: str | None = None
