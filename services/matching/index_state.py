"""The index of all workers in this process: loaded once, then brought up to date by the numbered log before each use.

Numbers may be committed out of order, so a missing one is looked for again until it appears or no transaction can still
bring it; `as_of` is the last number below which nothing is missing. What the index answers is advice: hard rules are
asked again under the lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from banyan.kernel.context import Context
from banyan.runtime.commands.store import Db
from services.matching.domain import pairing
from services.matching.domain.worker import Worker
from services.matching.ranking import Index, Ranked, Request
from services.matching.ranking.figures import Figures

LOST_AFTER_S = 60.0  # no transaction of ours lives so long: a number still missing was rolled back
LOOK_BACK = 1000  # changes read again after loading: one numbered below the last may have been committed after
CHANGES = "select number, worker_id from worker_change where number > %(after)s order by number"
BOUNDS = "select coalesce(min(number), 0), coalesce(max(number), 0) from worker_change"


class Missing:
    """Which numbers of the log were seen, and since when those between are missed."""

    def __init__(self, as_of: int) -> None:
        self.as_of = as_of
        self._ahead: set[int] = set()
        self._missed_since: dict[int, float] = {}

    def news(self, rows: list[tuple[Any, ...]], now_s: float) -> list[str]:
        """The workers behind numbers not seen before, each once; moves `as_of` over all that is seen or lost."""
        fresh = [(number, id) for number, id in rows if number not in self._ahead]
        self._ahead.update(number for number, _ in fresh)
        for number in range(self.as_of + 1, max(self._ahead, default=self.as_of)):
            if number not in self._ahead:
                self._missed_since.setdefault(number, now_s)
        self._advance(now_s)
        return list(dict.fromkeys(id for _, id in fresh))

    def _advance(self, now_s: float) -> None:
        while True:
            number = self.as_of + 1
            lost = now_s - self._missed_since.get(number, now_s) > LOST_AFTER_S
            if number not in self._ahead and not lost:
                return
            self._ahead.discard(number)
            self._missed_since.pop(number, None)
            self.as_of = number


class WorkerIndex:
    """One database's workers in memory. Refresh and ranking hold one lock, so a reader never sees half a change."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._missing = Missing(0)
        self._day = date.min

    @property
    def as_of(self) -> int:
        """The number of the last change below which none is missing."""
        return self._missing.as_of

    def rank(self, db: Db, context: Context, request: Request, figures: Figures, k: int) -> list[Ranked]:
        """The best k workers by the table, on workers as they stand in this transaction's sight."""
        with self._lock:
            index = self._refreshed(db, context, figures)
            index.use(figures)
            return index.rank(request, k)

    def load(self, db: Db, context: Context, figures: Figures) -> int:
        """Makes the index ready before anybody asks; answers how many workers it holds."""
        with self._lock:
            return len(self._refreshed(db, context, figures))

    def _refreshed(self, db: Db, context: Context, figures: Figures) -> Index:
        if self._index is None or self._day != context.today or self._log_was_cut(db):
            return self._loaded(db, context, figures)
        rows = db.rows(CHANGES, {"after": self._missing.as_of})
        ids = self._missing.news(rows, self._clock_s())
        if ids:
            self._apply(self._index, db.records(Worker, "id = any(%(ids)s)", {"ids": ids}), context.today)
        return self._index

    def _log_was_cut(self, db: Db) -> bool:
        """Whether changes that this index has not seen were cleared away."""
        first, last = db.rows(BOUNDS)[0]
        return bool(last > self.as_of and first > self.as_of + 1)

    def _loaded(self, db: Db, context: Context, figures: Figures) -> Index:
        first, last = db.rows(BOUNDS)[0]
        workers = db.records(Worker, "state = 'on_call'")
        rows = [pairing.worker_row(w) for w in workers if pairing.available(w, context.today)]
        self._index, self._missing, self._day = (
            Index(rows, figures),
            Missing(max(0, first - 1, last - LOOK_BACK)),
            context.today,
        )
        return self._index

    @staticmethod
    def _apply(index: Index, workers: list[Worker], today: date) -> None:
        for worker in workers:
            if pairing.available(worker, today):
                index.add(pairing.worker_row(worker))
            elif worker.id in index:
                index.remove(worker.id)


_INDEXES: dict[tuple[str, int, str], WorkerIndex] = {}


def index_of(db: Db) -> WorkerIndex:
    """This process's index of the database that a transaction is on."""
    info = db.connection.info
    return _INDEXES.setdefault((info.host, info.port, info.dbname), WorkerIndex())
