"""What time does to persons, assignments and imports: reminders, lapses, assignments that follow their persons, rows
that were refused and are kept no longer; and erasures that are not through yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from banyan.contracts.registry import (
    EndAssignment,
    ErasePerson,
    ForgetRefusedRows,
    LapsePerson,
    RefreshAssignment,
    RemindPerson,
)
from banyan.kernel.context import Context
from banyan.kernel.message import Command
from banyan.runtime.commands.store import Db
from banyan.runtime.host.schedule import every

Due = tuple[str, Command]
BATCH = 500  # a turn finds at most so many; the next turn finds the rest

LAPSED = (
    "select id, ends_on from person where state = 'active' and merged_into is null and ends_on < %(today)s"
    " order by ends_on, id limit %(batch)s"
)
ENDING = (
    "select id, ends_on from person where state = 'active' and merged_into is null"
    " and ends_on between %(today)s and %(last)s and not body -> 'reminded' @> to_jsonb(%(days)s::int)"
    " order by ends_on, id limit %(batch)s"
)
STALE = """
select a.id, p.version, a.version from assignment a join person p on p.id = a.person_id
where a.live is not null and a.state <> 'proposed' and (
    p.state in ('retired', 'erased')
    or (a.state = 'open') <> (p.state in ('approved', 'active') and p.merged_into is null)
    or (a.state = 'open' and (
        (a.body ->> 'level', a.body ->> 'registration_until', a.body ->> 'account', a.body ->> 'sex')
            is distinct from (p.level, p.body ->> 'ends_on', p.account, coalesce(p.body ->> 'sex', '0'))
        or (a.body ->> 'registered')::boolean <> (p.state = 'active' and coalesce(p.ends_on >= %(today)s, false)))))
order by a.id limit %(batch)s
"""
OVER = (
    "select id, until from assignment where live is not null and until < %(today)s order by until, id limit %(batch)s"
)
HALF_ERASED = """
select p.id, p.version from person_key k join person p on p.id = k.person_id where k.wrapped is null and p.state <> 'erased'
union select p.id, p.version from person p join person s on s.id = p.merged_into
where p.merged_into is not null and s.state = 'erased' and p.state <> 'erased' limit %(batch)s
"""
REFUSED_OVER = "select id from import where refused_until <= %(now)s order by refused_until limit %(batch)s"


@every(seconds=2)
def lapse_registrations(db: Db, context: Context) -> Iterator[Due]:
    """Registrations whose last day has passed."""
    for id, ends_on in db.rows(LAPSED, {"today": context.today, "batch": BATCH}):
        yield f"{id}:{ends_on}", LapsePerson(person_id=id)


@every(seconds=60)
def remind_registrations(db: Db, context: Context) -> Iterator[Due]:
    """Registrations that end soon; the nearest reminder that fits, and none that would come late beside it."""
    days = sorted(context.figure("registration_reminder_days"))
    nearer = 0
    for days_left in days:
        first, last = context.today + timedelta(days=nearer), context.today + timedelta(days=days_left)
        asked = {"today": first, "last": last, "days": days_left, "batch": BATCH}
        for id, ends_on in db.rows(ENDING, asked):
            yield f"{id}:{ends_on}:{days_left}", RemindPerson(person_id=id, days_left=days_left)
        nearer = days_left + 1


@every(seconds=1)
def refresh_assignments(db: Db, context: Context) -> Iterable[Due]:
    """Assignments that differ from what their persons now are."""
    for id, person_version, version in db.rows(STALE, {"today": context.today, "batch": BATCH}):
        yield f"{id}:{version}:{person_version}:{context.today}", RefreshAssignment(assignment_id=id)


@every(seconds=60)
def end_assignments(db: Db, context: Context) -> Iterator[Due]:
    """Assignments whose last day has passed."""
    for id, until in db.rows(OVER, {"today": context.today, "batch": BATCH}):
        yield f"{id}:{until}", EndAssignment(assignment_id=id, reason="期满")


@every(seconds=60)
def forget_refused_rows(db: Db, context: Context) -> Iterator[Due]:
    """Refused rows of imports whose days are over."""
    for (id,) in db.rows(REFUSED_OVER, {"now": context.now, "batch": BATCH}):
        yield id, ForgetRefusedRows(import_id=id)


@every(seconds=2)
def finish_erasures(db: Db, context: Context) -> Iterator[Due]:
    """Persons whose key is gone and whose record stands, as after the restore of an older backup; and records that were
    absorbed by one that was erased: they are of the same person."""
    for id, version in db.rows(HALF_ERASED, {"batch": BATCH}):
        yield f"{id}:{version}", ErasePerson(person_id=id, reason="补办删除")
