"""All clocks of matching stand in the records (`due_at`); these look for what is due, so none is lost by a restart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from banyan.contracts import matching as m
from banyan.kernel.context import Context
from banyan.kernel.message import Command
from banyan.runtime.commands.store import Db
from banyan.runtime.host.schedule import every

ORDERS: dict[str, type[Command]] = {
    "crisis": m.ClimbCrisis,
    "deliver": m.FailDelivery,
    "expire": m.ExpireOffer,
    "climb": m.ClimbRequest,
}
BATCH = 500
KEPT_DAYS = 7
OPEN = "state not in ('followed_up', 'closed')"
DUE = (
    "select id, due, due_at from request where " + OPEN + " and due_at <= %(now)s and (due = 'crisis') = %(crisis)s"
    " order by due_at limit %(batch)s"
)
REPORTS = (
    "select id, report_due_at from request where " + OPEN + " and state <> 'dispatched' and report_receipt is null"
    " and report_due_at <= %(now)s order by report_due_at limit %(batch)s"
)
# An id is ordered by its bytes, what is kept of a body as the database orders: an index of the latter is used only if it is
# asked in its own order. `offset 0` has the few clients' requests looked up, however many requests there are.
OF_WHOM = 'lateral (select id, client_id from request where {} = {} collate "default" and erased_on is null offset 0) r'
ALIASES = (
    f"select r.id, coalesce(c.alias_of, c.id) from client c, {OF_WHOM.format('subject_id', 'c.id')}"
    " where c.erased_on is null and r.client_id is distinct from coalesce(c.alias_of, c.id) limit %(batch)s"
)
ERASED = (
    f"select r.id from client c, {OF_WHOM.format('subject_id', 'c.id')} where c.erased_on is not null"
    f" union select r.id from client c, {OF_WHOM.format('client_id', 'c.id')} where c.erased_on is not null"
    f" union select r.id from person_key k, {OF_WHOM.format('subject_id', 'k.person_id')} where k.wrapped is null"
    " limit %(batch)s"
)
MEMBERS = (
    "select h.id, c.id from client c join household h on h.body -> 'member_ids' ? c.id"
    " where c.erased_on is not null limit %(batch)s"
)

OLD_RUNS = (
    "(select id from run where state in ('applied', 'cancelled', 'failed')"
    " and iso_instant(body #>> '{started_at}') < %(before)s)"
)
OLD_INPUTS = "delete from run_file where name not in ('certificate.npz', 'result.json') and run_id in " + OLD_RUNS
OLD_NAMES = "delete from run_names where run_id in " + OLD_RUNS


@every(seconds=1)
def climb_crises(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Crises that nobody acknowledged in time; apart from the rest, so that no backlog delays them."""
    return list(_due(db, context, crisis=True))


@every(seconds=2)
def do_what_is_due(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Offers that expire, notices that did not arrive, requests that nobody moved on."""
    return list(_due(db, context, crisis=False))


def _due(db: Db, context: Context, *, crisis: bool) -> Iterable[tuple[str, Command]]:
    rows = db.rows(DUE, {"now": context.now, "crisis": crisis, "batch": BATCH})
    for id, due, due_at in rows:
        yield f"{id}:{due}:{due_at.isoformat()}", ORDERS[due](request_id=id)


@every(seconds=30)
def recall_reports(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Mandatory reports without a receipt."""
    rows = db.rows(REPORTS, {"now": context.now, "batch": BATCH})
    return [(f"{id}:{due_at.isoformat()}", m.ClimbRequest(request_id=id)) for id, due_at in rows]


@every(seconds=2)
def follow_aliases(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Requests of clients that were merged, or taken apart again."""
    rows = db.rows(ALIASES, {"batch": BATCH})
    return [(f"{id}:{to}:{context.now.isoformat()}", m.AliasClient(request_id=id, client_id=to)) for id, to in rows]


@every(seconds=2)
def follow_erasures(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Requests and households of clients that were erased; and requests whose key is gone, as after the restore of an
    older backup."""
    requests = db.rows(ERASED, {"batch": BATCH})
    members = db.rows(MEMBERS, {"batch": BATCH})
    return [
        *((id, m.EraseClient(request_id=id)) for (id,) in requests),
        *((f"{home}:{id}", m.ForgetMember(household_id=home, person_id=id)) for home, id in members),
    ]


@every(seconds=3600)
def clear_log(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """Old rows of the change log; an index that has not looked for so long loads anew."""
    before = context.now - timedelta(days=KEPT_DAYS)
    db.run("delete from worker_change where at < %(before)s", {"before": before})
    return []


@every(seconds=3600)
def forget_run_inputs(db: Db, context: Context) -> Iterable[tuple[str, Command]]:
    """What ended runs were computed from, after the days that policy keeps it; record and certificate stay."""
    before = context.now - timedelta(days=context.figure("run_kept_days"))
    db.run(OLD_INPUTS, {"before": before})
    db.run(OLD_NAMES, {"before": before})
    return []
