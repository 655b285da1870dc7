"""Loads over workers on call: how many have how much, so that nobody carries all and nobody is forgotten."""

from __future__ import annotations

from banyan.contracts.insight import ListWorkers, Loads
from banyan.contracts.insight_shapes import LoadsView, WorkerList, WorkerRow
from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db, answers
from services.insight.store import WORKER_AT, page, percentiles, view

ON_CALL = "state = 'on_call'"
SUMS = (
    f"select count(*) filter (where {ON_CALL}), count(*) filter (where state = 'suspended'),"
    f" coalesce(sum(weekly_capacity) filter (where {ON_CALL}), 0)::bigint,"
    f" coalesce(sum(offered) filter (where {ON_CALL}), 0)::bigint,"
    f" coalesce(sum(accepted) filter (where {ON_CALL}), 0)::bigint,"
    f" count(*) filter (where {ON_CALL} and offered + accepted = 0),"
    f" count(*) filter (where {ON_CALL} and offered + accepted >= weekly_capacity)"
    " from worker where "
)


@answers(Loads)
def loads(query: Loads, context: Context, db: Db) -> LoadsView:
    """Workers, places, and the distribution of load (offers out and cases accepted)."""
    asked = view(query, context, db)
    condition = f"{WORKER_AT} and {asked.area}"
    workers, suspended, places, offered, accepted, idle, full = db.rows(SUMS + condition, asked.params)[0]
    sql = f"select offered + accepted, count(*) from worker where {condition} and {ON_CALL} group by 1 order by 1"
    by_load = db.rows(sql, asked.params)
    _, p50, p90, highest = percentiles((load, many) for load, many in by_load)
    return LoadsView(
        **asked.answer,
        workers=workers,
        suspended=suspended,
        places=places,
        offered=offered,
        accepted=accepted,
        idle=idle,
        full=full,
        p50=p50,
        p90=p90,
        highest=highest,
        by_load={str(load): many for load, many in by_load},
    )


@answers(ListWorkers)
def list_workers(query: ListWorkers, context: Context, db: Db) -> WorkerList:
    """The workers on call behind the figures, by id."""
    asked = view(query, context, db)
    params = asked.params | {"after": query.next or "", "limit": query.limit + 1}
    condition = f"{WORKER_AT} and {asked.area} and {ON_CALL}"
    total = db.rows(f"select count(*) from worker where {condition}", params)[0][0]
    names = WorkerRow.__struct_fields__
    rows = db.rows(
        f"select {', '.join(names)} from worker where {condition} and worker_id > %(after)s"
        " order by worker_id limit %(limit)s",
        params,
    )
    found = [WorkerRow(**dict(zip(names, row, strict=True))) for row in rows]
    items, following = page(found, query.limit, "worker_id")
    return WorkerList(**asked.answer, total=total, items=tuple(items), next=following)
