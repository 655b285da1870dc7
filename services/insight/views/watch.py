"""Alerts: a target slips or was missed; an event had no effect in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from banyan.contracts.insight import Alerts
from banyan.contracts.insight_shapes import AlertRow, AlertsView
from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db, answers
from banyan.runtime.events import lag
from services.insight.domain import targets as rules
from services.insight.store import SUBSCRIPTION, view
from services.insight.views.targets import CHOICES, Asked, applying

TITLES = {
    "target_slips": "目标滑落：照最近的增减，到期达不到",
    "target_missed": "目标到期未达到",
    "events_late": "事件未及时计入统计",
}


@answers(Alerts)
def alerts(query: Alerts, context: Context, db: Db) -> AlertsView:
    """What somebody should look at now."""
    asked = Asked(view(query, context, db), context, db)
    return AlertsView(**asked.view.answer, items=(*_late(context, db), *_slipping(asked)))


def _late(context: Context, db: Db) -> Iterator[AlertRow]:
    limit_s = int(context.figure("lag_limit_s"))
    for stream, at, head, seconds in lag.behind(db.connection, SUBSCRIPTION, context.now):
        if seconds > limit_s:
            facts: dict[str, int | str] = {"at": at, "head": head, "behind_s": seconds, "limit_s": limit_s}
            yield AlertRow(kind="events_late", title=TITLES["events_late"], about=stream, facts=facts)


def _slipping(asked: Asked) -> Iterator[AlertRow]:
    on, window = asked.view.on, int(asked.context.figure("slip_window_days", on=asked.view.on))
    for target, choice in applying(asked.view, asked.context):
        now = asked.reading(target, choice, on, asked.view.as_of)
        then = asked.reading(target, choice, on - timedelta(days=window), asked.view.as_of)
        days_left = (target.due_on - on).days
        likely = rules.expected(then.count, now.count, window, days_left)
        needed = rules.needed(target, now.of)
        met = rules.meets(target, now)
        kind = "target_missed" if days_left < 0 and not met else "target_slips"
        if met and likely >= needed:
            continue
        if not met and days_left >= 0 and likely >= needed and now.of >= 0 and (now.of or not choice):
            continue
        facts: dict[str, int | str] = {
            "count": now.count,
            "needed": needed,
            "before": then.count,
            "window_days": window,
            "expected": likely,
            "due_on": target.due_on.isoformat(),
            "choice": CHOICES[choice],
        }
        yield AlertRow(kind=kind, title=f"{TITLES[kind]}：{target.title}", about=target.name, facts=facts)
