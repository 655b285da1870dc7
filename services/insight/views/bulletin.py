"""The bulletin: what may be published, small cells hidden, along the tiers too."""

from __future__ import annotations

from collections import defaultdict

from banyan.contracts.insight import Bulletin
from banyan.contracts.insight_shapes import BulletinRow, BulletinView
from banyan.kernel.context import Context
from banyan.kernel.divisions import ancestors
from banyan.runtime.commands.store import Db, answers
from services.insight.domain.areas import child
from services.insight.domain.cells import hide, total_shown
from services.insight.store import PERSON_AT, REQUEST_AT, View, name_of, view, view_of
from services.insight.views.people import POPULATIONS, figure_params

REQUESTS = {"requests_taken": "true", "requests_served": "started_at is not null"}
COLUMNS = (*POPULATIONS, *REQUESTS)
Table = dict[str, dict[str, int]]  # column → division → count


@answers(Bulletin)
def bulletin(query: Bulletin, context: Context, db: Db) -> BulletinView:
    """Counts by division directly below. A total that a higher tier's bulletin hides is hidden here with its parts."""
    asked = view(query, context, db)
    threshold = int(context.figure("small_cell", on=asked.on))
    table = _table(asked, context, db)
    barred = _hidden_above(asked, threshold, context, db)
    total: dict[str, int | None] = {}
    shown: dict[str, dict[str, int | None]] = {}
    for column in COLUMNS:
        cells = table[column]
        total[column] = None if column in barred else total_shown(list(cells.values()), threshold)
        closed = total[column] is None
        shown[column] = dict.fromkeys(cells) if closed else hide(cells, threshold)
    rows = tuple(
        BulletinRow(
            division=code,
            name=name_of(asked.tree, code, asked.on),
            figures={column: shown[column][code] for column in COLUMNS},
        )
        for code in sorted({code for cells in table.values() for code in cells})
    )
    return BulletinView(**asked.answer, threshold=threshold, total=total, rows=rows)


def _table(asked: View, context: Context, db: Db) -> Table:
    """Every column over the same divisions, zeros included."""
    table: Table = {column: defaultdict(int) for column in COLUMNS}
    params = figure_params(asked, context)
    for source, at, columns in (("person", PERSON_AT, POPULATIONS), ("request", REQUEST_AT, REQUESTS)):
        counts = ", ".join(f"count(*) filter (where {condition})" for condition in columns.values())
        sql = f"select division, {counts} from {source} where {at} and {asked.area} group by division"
        for division, *numbers in db.rows(sql, params):
            code = child(asked.tree, asked.division, division, asked.on)
            for column, number in zip(columns, numbers, strict=True):
                table[column][code] += number
    codes = sorted({code for cells in table.values() for code in cells})
    return {column: {code: cells[code] for code in codes} for column, cells in table.items()}


def _hidden_above(asked: View, threshold: int, context: Context, db: Db) -> set[str]:
    """Columns whose total for this area is a hidden cell of the tier above, or of one above that."""
    line = asked.tree.line(asked.division, asked.on) if asked.tree else (asked.division, *ancestors(asked.division))
    barred: set[str] = set()
    for above, part in zip(reversed(line[1:]), reversed(line[:-1]), strict=True):
        table = _table(view_of(above, asked.on, asked.as_of, context, db), context, db)
        for column in COLUMNS:
            cells = table[column]
            closed = column in barred or total_shown(list(cells.values()), threshold) is None
            if closed or (part in cells and hide(cells, threshold)[part] is None):
                barred.add(column)
    return barred
