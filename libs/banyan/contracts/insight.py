"""insight: questions about the whole: figures by division as of any day, the lists behind them, targets, alerts.

`as_of` names the snapshot by stream positions; left out, it is the newest. A figure and its list, asked with the same
`as_of`, always agree. `on` is a day in Shanghai, its end is meant; left out, today.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

import msgspec

from banyan.contracts import insight_shapes as shapes
from banyan.contracts.frame import FilePart, FilePartNumber
from banyan.kernel.message import SYSTEM, Command, Query

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


class StartExport(Command, frozen=True, kw_only=True):
    """导出为文件，在后台生成。format：csv、xlsx、parquet。

    table：people、people_list、requests、request_list、worker_list、targets、trend、bulletin、flaws。
    of：people_list 的人数名称，request_list 的件数名称，flaws 的问题种类，trend 的指标；urgency 等四项只用于 request_list。
    """

    may: ClassVar[tuple[str, ...]] = READERS
    division: str
    table: str
    format: str
    on: date | None = None
    as_of: dict[str, int] | None = None
    of: str | None = None
    since: date | None = None
    urgency: int | None = None
    field: str | None = None
    client_group: str | None = None
    ending: str | None = None


class FinishExport(Command, frozen=True, kw_only=True):
    """导出结束，记下结果。"""

    may: ClassVar = (SYSTEM,)
    export_id: str
    rows: int = 0
    not_shown: int = 0
    size: int = 0
    digest: str = ""
    failure: str = ""


class ExpireExport(Command, frozen=True, kw_only=True):
    """导出文件保存期满，删除。"""

    may: ClassVar = (SYSTEM,)
    export_id: str


class GetExport(Query, frozen=True, kw_only=True):
    """查看导出的进度。管辖范围与服务领域不小于导出者的，都可查看和下载。"""

    may: ClassVar[tuple[str, ...]] = READERS
    answer: ClassVar = shapes.ExportView
    export_id: str


class ReadExport(Query, frozen=True, kw_only=True):
    """读取导出文件的一段；下载整个文件用 GET /v1/exports/{export_id}。"""

    may: ClassVar[tuple[str, ...]] = READERS
    answer: ClassVar = FilePart
    export_id: str
    part: FilePartNumber = 0
