"""The data-quality list: records that contradict themselves, each other or the calendar, as far as events tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from banyan.contracts.insight import Flaws
from banyan.contracts.insight_shapes import Flaw, FlawList
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.store import ASSIGNMENT_AT, PERSON_AT, REQUEST_AT, WORKER_AT, View, view, within
from services.insight.views.people import COUNTED, SERVING, figure_params

TITLES = {
    "assignment_without_person": "任职有效，但人员记录未通过审核或已退出",
    "certified_not_recognised": "持证，但未认定为社会工作专业人才",
    "correction_asked": "本人请求更正，尚未办理",
    "division_uncounted": "所在区划已撤销或不计入统计",
    "duplicate_suspected": "疑似重复，尚未判断",
    "registration_past": "登记期已满，状态仍为登记有效",
    "request_still": "未结束的需求长时间没有进展",
    "worker_without_assignment": "仍在派单，但服务任职已不在有效期",
}
LIVING = "state not in ('retired', 'erased') and merged_into is null"
SELECTS = {
    "assignment_without_person": (
        f"select '{{kind}}', assignment_id, division, false from assignment where {SERVING} and {{area}}"
        f" and not exists (select from (select * from person where {PERSON_AT}) p"
        " where p.person_id = assignment.person_id and p.state in ('approved', 'active') and p.merged_into is null)"
    ),
    "worker_without_assignment": (
        f"select '{{kind}}', worker_id, division, false from worker where {WORKER_AT} and state = 'on_call'"
        f" and {{area}} and not exists (select from (select * from assignment where {ASSIGNMENT_AT}) a"
        " where a.assignment_id = worker.worker_id and a.state = 'open')"
    ),
    "request_still": (
        "select '{kind}', request_id, division, protected or exists (select from request now where now.request_id ="
        f" request.request_id and now.until_pos is null and now.protected) from request where {REQUEST_AT}"
        " and state <> 'ended' and from_at < %(still_since)s and {area} and {within}"
    ),
}
PERSONS = {
    "certified_not_recognised": f"{COUNTED} and level <> 'none' and talent_basis = 'none'",
    "correction_asked": f"wrong and {LIVING}",
    "division_uncounted": f"{COUNTED} and division = any(%(uncounted)s)",
    "duplicate_suspected": f"suspected and {LIVING}",
    "registration_past": "state = 'active' and merged_into is null and registration_until < %(on)s",
}


@answers(Flaws)
def flaws(query: Flaws, context: Context, db: Db) -> FlawList:
    """How many of each kind, and the records behind by kind and id, from one snapshot."""
    asked = view(query, context, db)
    if query.kind is not None and query.kind not in TITLES:
        raise Refused("unknown_code", kind="flaw", value=query.kind[:40])
    kinds = [query.kind] if query.kind else sorted(TITLES)
    found = " union all ".join(_select(kind, asked, db) for kind in kinds)
    params = _params(asked, context, db)
    counts = "select kind, count(*), count(*) filter (where hidden)"
    sql = f"{counts} from ({found}) f(kind, id, division, hidden) group by kind"
    counted = db.rows(sql, params)
    kind, _, id = (query.next or "|").partition("|")
    sql = (
        f"select kind, id, division from ({found}) f(kind, id, division, hidden) where not hidden and (kind, id) >"
        ' (%(after_kind)s, %(after_id)s) order by kind collate "C", id collate "C" limit %(limit)s'
    )
    rows = db.rows(sql, params | {"after_kind": kind, "after_id": id, "limit": query.limit + 1})
    items = tuple(Flaw(kind=k, title=TITLES[k], id=i, division=d) for k, i, d in rows[: query.limit])
    return FlawList(
        **asked.answer,
        counts=dict.fromkeys(kinds, 0) | {kind: many for kind, many, _ in counted},
        not_shown=sum(hidden for _, _, hidden in counted),
        items=items,
        next=f"{items[-1].kind}|{items[-1].id}" if len(rows) > query.limit else None,
    )


def _select(kind: str, asked: View, db: Db) -> str:
    given = {"kind": kind, "area": asked.area, "within": within(db)}
    if kind in PERSONS:
        person = f"select '{kind}', person_id, division, false from person"
        return f"{person} where {PERSON_AT} and {asked.area} and {PERSONS[kind]}"
    return SELECTS[kind].format(**given)


def _params(asked: View, context: Context, db: Db) -> dict[str, Any]:
    still = timedelta(days=int(context.figure("request_still_days", on=asked.on)))
    more = {"still_since": asked.params["ends_at"] - still, "uncounted": _uncounted(asked, db)}
    return figure_params(asked, context) | more


def _uncounted(asked: View, db: Db) -> list[str]:
    """Codes that occur in the figures and are not in force on the day, or do not count."""
    if asked.tree is None:
        return []
    rows = ((code, asked.tree.find(code, asked.on)) for (code,) in db.rows("select code from place"))
    return [code for code, row in rows if row is None or not row.countable]
