"""Registry's import over COPY into the same columns and indexes: `python -m tests.load.bench_import [--json out.json]`.

Ours reads a CSV and does all: validation, duplicates, keys and encryption, blind indexes, history, outbox, audit,
replies. COPY gets the finished rows of `person` as text into a table made like it, generated columns, indexes and all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import time
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from banyan.contracts import registry as words
from banyan.kernel.context import Caller, Grant
from banyan.kernel.message import Command
from banyan.runtime.commands.orders import Order
from banyan.runtime.host import jobs
from banyan.runtime.host.app import App
from banyan.testkit import people
from services.registry.imports import COLUMNS
from tests.load import bench_instance as bench

ROWS, WARM_ROWS, SEED = 3_000, 500, 20_241
COUNTY, VILLAGE = "350203000000", "350203001001"
ONE_DAY_S = 86_400
REGISTRAR = Caller(account="registrar-1", grants=(Grant(duty="registrar", division=COUNTY),))
FIELDS = ("name", "document_kind", "document_number", "sex", "birth_date", "phone", "division", "education", "post")
TITLES = {field: title for title, field in COLUMNS.items()}
FINISHED = "(id, version, division, body)"
NEW_ROWS = f"copy (select {FINISHED[1:-1]} from person where id not in (select id from person_copied)) to stdout"


class Importer:
    """Generated people (a printed seed) as one CSV after another, taken in by registry's own job."""

    def __init__(self, app: App, many: int) -> None:
        self._app = app
        self._people: Iterator[dict[str, Any]] = people.people(SEED, many, [VILLAGE])

    def _order(self, command: Command) -> dict[str, Any]:
        order = Order(command, REGISTRAR, str(uuid.uuid4()), time.time() + ONE_DAY_S)
        found: dict[str, Any] = msgspec.json.decode(self._app.bus.run(order))
        return found

    def _file(self, many: int) -> bytes:
        text = io.StringIO(newline="")
        out = csv.writer(text)
        out.writerow([TITLES[field] for field in FIELDS])
        for _ in range(many):
            person = next(self._people)
            out.writerow([person.get(field) or "" for field in FIELDS])
        return text.getvalue().encode()

    def rate(self, many: int) -> float:
        """Rows a second from the waiting import to its end; the upload is not counted. No row may be refused."""
        content = self._file(many)
        digest = hashlib.sha256(content).hexdigest()
        size = words.UPLOAD_PART_BYTES
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        for number, part in enumerate(parts):
            upload = words.AddUpload(division=COUNTY, digest=digest, part=number, parts=len(parts), content=part)
            self._order(upload)
        started = self._order(words.StartImport(division=COUNTY, digest=digest, format="csv"))
        taken_s = bench.seconds(lambda: jobs.turn(self._app.bus))
        view: Any = self._app.bus.ask(words.GetImport(import_id=started["id"]), REGISTRAR)
        assert (view.rows, view.refused) == (many, 0), f"{view.refused} rows refused: {view.items[:3]}"
        return round(many / taken_s, 1)


def copy_rate(app: App, many: int) -> float:
    """Rows a second of a COPY of the rows that the import has just made, with its commit."""
    with app.pool.connection() as connection, connection.cursor() as cursor:
        with cursor.copy(NEW_ROWS) as out:
            rows = b"".join(bytes(block) for block in out)
        begun = time.perf_counter()
        with cursor.copy(f"copy person_copied {FINISHED} from stdin") as copy:
            copy.write(rows)
        taken_s = time.perf_counter() - begun
        assert cursor.rowcount == many, "every row was copied"
    return round(many / taken_s, 1)


def measure(rounds: int) -> dict[str, Any]:
    """The import, then COPY of its rows, round by round into tables that grow alike."""
    found: list[dict[str, float]] = []
    with bench.app_of("services.registry", "import") as app:
        with app.pool.connection() as connection:
            connection.execute("create table person_copied (like person including all)")
        importer = Importer(app, WARM_ROWS + rounds * ROWS)
        importer.rate(WARM_ROWS)
        copy_rate(app, WARM_ROWS)
        for turn in range(rounds):
            found.append({"import": importer.rate(ROWS), "copy": copy_rate(app, ROWS)})
            bench.progress(f"第 {turn + 1}/{rounds} 轮，每秒行数：{found[-1]}")
    return {
        "import_vs_copy": bench.median_ratio(found, "import", "copy"),
        "seed": SEED,
        "rows_a_round": ROWS,
        "rounds": found,
    }


if __name__ == "__main__":
    bench.main(__doc__, measure)
