"""Exports as CSV: the same answers as a table, in one snapshot, part by part."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

from banyan.contracts import insight
from banyan.contracts.insight_shapes import ExportView
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.views import bulletin, flaws, people, requests, targets

MARK = "\ufeff"  # so that spreadsheets read the text as UTF-8
NAMES = {
    "division": "区划代码",
    "name": "名称",
    "professional": "社会工作专业人才",
    "certified": "持证",
    "registered": "登记",
    "community_worker": "社区工作者",
    "certified_community_worker": "持证社区工作者",
    "assigned": "任职",
    "person_id": "人员编号",
    "state": "状态",
    "level": "级别",
    "talent_basis": "人才依据",
    "registration_until": "登记期至",
    "code": "代码",
    "taken": "受理",
    "open": "未结",
    "waiting": "待接单",
    "accepted": "接单",
    "served": "已服务",
    "ended": "结束",
    "declined": "被退单",
    "escalated": "上移",
    "offers": "派单次数",
    "declines": "退单次数",
    "expired": "逾时次数",
    "overrides": "人工改派次数",
    "escalations": "上移次数",
    "minutes_served": "服务分钟",
    "count": "接单件数",
    "p50": "等待中位数（分钟）",
    "p90": "等待九成位数（分钟）",
    "longest": "最长等待（分钟）",
    "request_id": "需求编号",
    "field": "领域",
    "client_group": "对象群体",
    "urgency": "紧急程度",
    "taken_at": "受理时间",
    "accepted_at": "接单时间",
    "ended_at": "结束时间",
    "ending": "结束方式",
    "wait_min": "等待（分钟）",
    "title": "目标",
    "plan": "规划",
    "choice_name": "口径",
    "goal": "目标值",
    "due_on": "到期日",
    "since": "自何日起",
    "kind": "问题",
    "id": "编号",
    "requests_taken": "受理需求",
    "requests_served": "已服务需求",
    "of": "分母",
    "per_thousand": "千分数",
    "needed": "所需",
    "met": "是否达到",
    "frozen": "到期日冻结值",
}
Rows = Iterable[dict[str, Any]]


@answers(insight.Export)
def export(query: insight.Export, context: Context, db: Db) -> ExportView:
    """One part of a table; refuses `unknown_code` for another table. XLSX and Parquet are not made here."""
    if query.table not in TABLES:
        raise Refused("unknown_code", kind="export", value=query.table[:40])
    answer, rows, following = TABLES[query.table](query, context, db)
    lines = list(rows)
    return ExportView(
        division=answer.division,
        on=answer.on,
        as_of=answer.as_of,
        name=f"{query.table}-{answer.division}-{answer.on.isoformat()}.csv",
        media_type="text/csv; charset=utf-8",
        rows=len(lines),
        text=written(lines, head=query.next is None),
        next=following,
    )


def written(rows: list[dict[str, Any]], *, head: bool) -> str:
    """CSV text (RFC 4180). The first part begins with the 中文 names of the columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if head and rows:
        writer.writerow([NAMES[name] for name in rows[0]])
    writer.writerows(["" if value is None else value for value in row.values()] for row in rows)
    return (MARK if head else "") + out.getvalue()


def _about(query: insight.Export) -> dict[str, Any]:
    return {"division": query.division, "on": query.on, "as_of": query.as_of}


def _fields(item: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _people(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, None]:
    answer = people.people(insight.People(**_about(query)), context, db)
    return answer, ({"division": e.division, "name": e.name, **e.figures} for e in answer.below), None


def _people_list(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, str | None]:
    asked = insight.ListPeople(
        **_about(query), population=query.of or "professional", limit=query.limit, next=query.next
    )
    answer = people.list_people(asked, context, db)
    names = ("person_id", "division", "state", "level", "talent_basis", "registration_until")
    return answer, (_fields(item, names) for item in answer.items), answer.next


def _requests(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, None]:
    answer = requests.requests(insight.RequestFigures(**_about(query), since=query.since), context, db)
    groups = (answer.all, *answer.by_urgency, *answer.by_field, *answer.by_client_group)
    waits = ("count", "p50", "p90", "longest")
    rows = ({"code": g.code, "name": g.name, **g.figures, **_fields(g.waits, waits)} for g in groups)
    return answer, rows, None


def _request_list(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, str | None]:
    asked = insight.ListRequests(
        **_about(query), since=query.since, figure=query.of or "taken", limit=query.limit, next=query.next
    )
    answer = requests.list_requests(asked, context, db)
    names = (
        "request_id", "division", "field", "client_group", "urgency", "state", "taken_at", "accepted_at", "ended_at",
        "ending", "wait_min", "declines", "escalations",
    )  # fmt: skip
    return answer, (_fields(item, names) for item in answer.items), answer.next


def _targets(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, None]:
    answer = targets.targets(insight.Targets(**_about(query)), context, db)
    names, now = ("title", "plan", "choice_name", "goal", "due_on", "since"), ("of", "per_thousand", "needed", "met")
    rows = (
        _fields(item, names) | {"frozen": item.frozen.count if item.frozen else None} | _fields(item.now, now)
        for item in answer.items
    )
    return answer, rows, None


def _bulletin(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, None]:
    answer = bulletin.bulletin(insight.Bulletin(**_about(query)), context, db)
    return answer, ({"division": row.division, "name": row.name, **row.figures} for row in answer.rows), None


def _flaws(query: insight.Export, context: Context, db: Db) -> tuple[Any, Rows, str | None]:
    asked = insight.Flaws(**_about(query), kind=query.of, limit=query.limit, next=query.next)
    answer = flaws.flaws(asked, context, db)
    rows = ({"kind": item.title, "id": item.id, "division": item.division} for item in answer.items)
    return answer, rows, answer.next


TABLES: dict[str, Callable[[insight.Export, Context, Db], tuple[Any, Rows, str | None]]] = {
    "people": _people,
    "people_list": _people_list,
    "requests": _requests,
    "request_list": _request_list,
    "targets": _targets,
    "bulletin": _bulletin,
    "flaws": _flaws,
}
