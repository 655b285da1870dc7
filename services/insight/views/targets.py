"""Targets: the value frozen on the due day, the value now, met or missed, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from banyan.contracts.insight import PROVINCE, Targets
from banyan.contracts.insight_shapes import Measured, TargetsView, TargetView
from banyan.kernel.context import Context
from banyan.kernel.policy import PROVINCE_WIDE
from banyan.runtime.commands.store import Db, answers
from services.insight.domain import targets as rules
from services.insight.domain.areas import denominators
from services.insight.store import PERSON_AT, View, frozen, view
from services.insight.views.people import POPULATIONS, figure_params, served
from services.insight.views.trend import SERVED, changes_of

CHOICES = {
    "": "",
    "subdistrict_communities": "街道所辖社区（居委会）",
    "all_communities": "全部社区（居委会）",
}
NOTES = (
    "“平均每个城市社区”以辖区内全部社会工作专业人才除以社区数；哪些社区为城市社区，两种口径并列。",
    "“自何日起”按今日的分母推算。",
)


@dataclass(frozen=True)
class Asked:
    """What all targets of one answer are read with."""

    view: View
    context: Context
    db: Db

    def reading(self, target: rules.Target, choice: str, on: date, as_of: dict[str, int]) -> rules.Reading:
        """The value of a target at the end of a day, in a snapshot; denominators as they count on that day."""
        counts = denominators(self.view.tree, self.view.division, on)
        if target.measure == rules.SHARE:
            return rules.Reading(count=served(self.view, on, as_of, self.context, self.db), of=counts.villages)
        params: dict[str, Any] = figure_params(self.view, self.context) | self.view.at(on, as_of)
        sql = f"select count(*) from person where {PERSON_AT} and {self.view.area} and {POPULATIONS['professional']}"
        of = getattr(counts, choice) if choice else 0
        return rules.Reading(count=int(self.db.rows(sql, params)[0][0]), of=of)


@answers(Targets)
def targets(query: Targets, context: Context, db: Db) -> TargetsView:
    """Every target that is set for the area, each once for every choice of its denominator."""
    asked = Asked(view(query, context, db), context, db)
    items = tuple(_seen(asked, target, choice) for target, choice in applying(asked.view, context))
    return TargetsView(**asked.view.answer, items=items, notes=NOTES)


def applying(asked: View, context: Context) -> Iterator[tuple[rules.Target, str]]:
    """The targets of an area with their choices: a plain count is set for one area, the others for every area."""
    for target in rules.targets(context.policy):
        own = PROVINCE if target.division == PROVINCE_WIDE else target.division
        if target.measure == rules.COUNT and asked.division != own:
            continue
        for choice in target.choices or ("",):
            yield target, choice


def _seen(asked: Asked, target: rules.Target, choice: str) -> TargetView:
    now = asked.reading(target, choice, asked.view.on, asked.view.as_of)
    then, later = None, None
    if target.due_on <= asked.view.on and target.due_on < asked.context.today:
        ended = frozen(asked.db, target.due_on, asked.view.as_of)
        then = asked.reading(target, choice, target.due_on, ended)
        later = asked.reading(target, choice, target.due_on, asked.view.as_of)
    met_then = rules.NOT_DUE if then is None else rules.MET if rules.meets(target, then) else rules.MISSED
    return TargetView(
        name=target.name,
        title=target.title,
        plan=target.plan,
        goal=target.goal,
        measure=target.measure,
        choice=choice,
        choice_name=CHOICES[choice],
        due_on=target.due_on,
        source=target.source,
        state=met_then,
        now=measured(target, now),
        since=_since(asked, target, now),
        frozen=measured(target, then) if then else None,
        due_as_known_now=measured(target, later) if later else None,
    )


def measured(target: rules.Target, reading: rules.Reading) -> Measured:
    """A reading with what the goal needs of it."""
    return Measured(
        count=reading.count,
        of=reading.of,
        per_thousand=reading.per_thousand,
        needed=rules.needed(target, reading.of),
        met=rules.meets(target, reading),
    )


def _since(asked: Asked, target: rules.Target, now: rules.Reading) -> date | None:
    """Since which day the present answer, met or not, holds without a break."""
    measure = SERVED if target.measure == rules.SHARE else "professional"
    changes = changes_of(measure, asked.view, asked.context, asked.db)
    return rules.standing_since(changes, rules.needed(target, now.of), asked.view.on)[1]
