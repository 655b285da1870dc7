"""How a question is answered: the view in one transaction, and a row in the audit trail for what it opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from banyan.kernel.context import Caller
from banyan.kernel.message import Query
from banyan.runtime.commands import audit
from banyan.runtime.commands.store import Db
from banyan.runtime.host import telemetry

if TYPE_CHECKING:
    from banyan.runtime.commands.bus import Bus


def ask(bus: Bus, query: Query, caller: Caller, traceparent: str | None = None) -> Any:
    """The view's answer. Where it opened personal fields, the audit row is committed before anybody sees them."""
    view = bus.service.answers[type(query)]
    with telemetry.span(f"{bus.service.name}.{query.method()}", traceparent) as span:
        with bus.pool.connection() as connection, connection.transaction():
            now = connection.execute("select banyan_now()").fetchone()[0]  # type: ignore[index]
            context = bus.context(connection, caller, now, query.may)
            db = Db(connection, bus.vault, context, service=bus.service.name)
            answer = view(query, context, db)
            if db.seen:
                unsealed = bus.guard.check(type(query), connection)
                row = audit.row(
                    service=bus.service.name,
                    method=query.method(),
                    caller=caller,
                    at=now,
                    outcome="seen",
                    seen=db.seen,
                    reason=getattr(query, "reason", None),
                    unsealed=unsealed,
                    trace_id=span.trace_id,
                )
                connection.execute(audit.INSERT, (now, row))
        return answer
