"""Reference data 基础数据: every change is a record of its own, with its deed, its day and its rows."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from banyan.contracts.identity_shapes import Competence, Workday
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate
from banyan.kernel.divisions import Division
from banyan.kernel.policy import Figure


class ReferenceChange(Aggregate, frozen=True, kw_only=True):
    """One change; `number` is its place in the order of all, a later row of the same key replaces the earlier."""

    kind: ClassVar[str] = "reference_change"
    prefix: ClassVar[str] = "rc"

    number: int
    what: str  # divisions | figures | workdays | competence
    document: str
    by: str
    on: dt.date
    divisions: tuple[Division, ...] = ()
    figures: tuple[Figure, ...] = ()
    workdays: tuple[Workday, ...] = ()
    known_from: dt.date | None = None
    known_until: dt.date | None = None
    competence: Competence | None = None


def change(what: str, command: Any, context: Context, number: int, **rows: Any) -> ReferenceChange:
    """The record of a command's rows, as of the day it takes effect or today."""
    return ReferenceChange(
        id=context.new_id(ReferenceChange.prefix),
        division=command.division,
        number=number,
        what=what,
        document=command.document,
        by=context.actor,
        on=rows.pop("on", None) or context.today,
        **rows,
    )
