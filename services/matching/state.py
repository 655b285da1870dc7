"""What this process keeps in memory for matching: the compiled ranking and the index, made ready before it consumes."""

from __future__ import annotations

import structlog

from banyan.kernel.refusal import Refused
from banyan.runtime.host.app import App
from services.matching.domain import pairing
from services.matching.index_state import index_of
from services.matching.ranking import warm

log = structlog.get_logger()


def start(app: App) -> None:
    """Compiles the kernel and loads all workers; an instance that has no figures yet loads them at the first question."""
    compiled = warm()
    with app.bus.own_db() as db:
        try:
            workers = index_of(db).load(db, db.context, pairing.figures(db.context, None))
        except Refused as refused:
            log.info("索引稍后载入", code=refused.code)
            return
    log.info("匹配索引已载入", workers=workers, compiled=compiled)
