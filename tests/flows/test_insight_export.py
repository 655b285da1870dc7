"""Exports on a real PostgreSQL: made as who asked, in one snapshot, from where it stopped; read by whom the figures are."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from banyan.cli.clock import forward
from banyan.contracts import insight
from banyan.contracts.frame import FilePart
from banyan.kernel.context import Caller
from banyan.kernel.refusal import Refused
from banyan.runtime.host import jobs as host_jobs
from banyan.runtime.host.work import run_schedule
from banyan.testkit.owned import create_database, drop_database, lent
from services.insight import jobs
from services.insight.service import SERVICE
from tests.flows.insight_instance import PROVINCE, Insight, analyst, running_insight

ANALYST = analyst()
LISTED = 15  # requests that the world has at least, whatever its seed


@pytest.fixture(scope="module")
def running(postgres: Any) -> Iterator[Insight]:
    with (
        lent(partial(create_database, postgres.url), partial(drop_database, postgres.url)) as url,
        running_insight(url) as instance,
    ):
        listed = None
        while listed is None or not listed.not_shown or len(listed.items) < LISTED:
            instance.world.go(250)
            instance.take()
            query = insight.ListRequests(division=PROVINCE, on=instance.world.today, figure="taken", limit=500)
            listed = instance.ask(query)
        yield instance


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and parts so small that every file has several."""
    monkeypatch.setattr(jobs, "PAGE_ROWS", 3)
    monkeypatch.setattr(jobs, "FILE_PART_BYTES", 1000)


def start(running: Insight, caller: Caller = ANALYST, **asked: Any) -> str:
    given = {"division": PROVINCE, "on": running.world.today, **asked}
    return str(running.order(insight.StartExport(**given), caller)["id"])


def turn(running: Insight, stop: Callable[[], bool] = lambda: False) -> int:
    return host_jobs.turn(running.bus, stop)


def view(running: Insight, id: str, caller: Caller = ANALYST) -> Any:
    return running.bus.ask(insight.GetExport(export_id=id), caller)


def content(running: Insight, id: str, caller: Caller = ANALYST) -> bytes:
    """The file, put together from its parts and compared with what is said of it."""
    parts: list[FilePart] = []
    while not parts or sum(len(part.content) for part in parts) < parts[0].size:
        parts.append(running.bus.ask(insight.ReadExport(export_id=id, part=len(parts)), caller))
    whole = b"".join(part.content for part in parts)
    assert hashlib.sha256(whole).hexdigest() == parts[0].digest == view(running, id, caller).digest
    refuses(running, "past_the_end", id, caller, part=len(parts))
    return whole


def refuses(running: Insight, code: str, id: str, caller: Caller = ANALYST, **more: int) -> Refused:
    with pytest.raises(Refused) as refused:
        running.bus.ask(insight.ReadExport(export_id=id, **more), caller)
    assert refused.value.code == code
    return refused.value


def lines(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def test_a_list_is_exported_whole_in_its_snapshot_and_the_protected_are_a_number(running: Insight) -> None:
    asked = {"table": "request_list", "of": "taken"}
    ids = {format: start(running, format=format, **asked) for format in ("csv", "xlsx", "parquet")}
    query = insight.ListRequests(division=PROVINCE, on=running.world.today, figure="taken", limit=10**6)
    listed = running.ask(query)
    assert listed.not_shown and len(listed.items) > 3 * jobs.PAGE_ROWS
    assert refuses(running, "file_not_ready", ids["csv"]).facts == {"done": 0}
    running.world.go(50)
    running.take()

    assert turn(running) == 3
    total, listed = listed.total, running.ask(msgspec.structs.replace(query, as_of=listed.as_of))
    # of the same snapshot; who has become protected since is shown no more, and counts in the county where the village is none
    assert listed.total >= total
    made = view(running, ids["csv"])
    assert (made.state, made.rows, made.done, made.not_shown) == ("made", *[len(listed.items)] * 2, listed.not_shown)
    assert (made.name, made.as_of) == (f"服务需求清单-福建省-{listed.on}.csv", listed.as_of)
    head, *rows, told = lines(content(running, ids["csv"]))
    assert told == [f"另有 {listed.not_shown} 件受保护个案未显示"]
    names = [column.name for column in jobs.TABLES["request_list"].columns]
    kept = pq.read_table(io.BytesIO(content(running, ids["parquet"]))).to_pylist()
    wanted = [{name: getattr(item, name) for name in names} for item in listed.items]
    assert kept == wanted
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content(running, ids["xlsx"]))).get_sheet_by_index(0).to_python()
    texts = [[str(int(cell)) if isinstance(cell, float) else cell for cell in row] for row in sheet]
    assert texts == [head, *rows] and [row[0] for row in rows] == [item["request_id"] for item in wanted]


def test_figures_of_every_table_can_be_exported(running: Insight) -> None:
    since = running.world.today.replace(day=1)
    rest = ("people", "people_list", "requests", "worker_list", "targets", "trend", "bulletin", "flaws")
    first = jobs.TABLES["people_list"].of[0]
    while not running.ask(insight.ListPeople(division=PROVINCE, on=running.world.today, population=first)).items:
        running.world.go(250)
        running.take()
    id = start(running, table="people", format="csv")
    for table in rest:
        source, asked = (
            jobs.SOURCES[table],
            insight.StartExport(division=PROVINCE, table=table, format="csv", since=since),
        )
        record = msgspec.structs.replace(_record(running, id), asked=asked)
        answer = running.bus.ask(source.query(record, None, 50), ANALYST)
        page = source.page(table, answer)
        assert page or table == "flaws", table
        assert {len(row) for row in page} <= {len(jobs.TABLES[table].columns)}, table
    people = start(running, table="people", format="csv", division="350100000000")
    assert turn(running) == 2
    shown = running.ask(insight.People(division="350100000000", on=running.world.today))
    assert lines(content(running, people))[1:] == [
        [line.division, line.name, *(str(line.figures[name]) for name in (*shown.figures,))] for line in shown.below
    ]


def _record(running: Insight, id: str) -> Any:
    with running.bus.own_db() as db:
        return db.record(jobs.Export, id)


def test_an_export_goes_on_where_it_was_stopped(running: Insight) -> None:
    asked = {"table": "request_list", "format": "csv"}
    whole = start(running, **asked)
    assert turn(running) == 1
    pages = -(-view(running, whole).rows // jobs.PAGE_ROWS)

    broken = start(running, **asked)
    for looks, done in ((3, 2 * jobs.PAGE_ROWS), (1 + pages - 2 + 2, view(running, whole).rows)):
        left = iter([False] * looks)
        assert turn(running, partial(next, left, True)) == 0  # while it reads, then while the file is written
        assert (view(running, broken).state, view(running, broken).done) == ("waiting", done)
    assert turn(running) == 1
    assert content(running, broken) == content(running, whole)


def test_a_writer_that_fails_is_told_and_tried_again(running: Insight, monkeypatch: pytest.MonkeyPatch) -> None:
    id = start(running, table="people", format="xlsx")
    with monkeypatch.context() as broken:
        broken.setattr(jobs, "WRITER", "services.insight.nothing")
        assert turn(running) == 0
    with running.bus.own_db() as db:
        assert (
            "No module named services.insight.nothing" in db.rows("select trouble from job where id = %s", (id,))[0][0]
        )
        db.run("update job set not_before = now() where id = %s", (id,))
    assert turn(running) == 1 and view(running, id).state == "made"


def test_only_whoever_reaches_all_that_it_was_made_with_can_read_it(running: Insight) -> None:
    fuzhou, xiamen = "350100000000", "350200000000"
    id = start(running, analyst(division=fuzhou), table="request_list", format="csv", division=fuzhou)
    turn(running)
    for reader in (analyst("b", fuzhou), ANALYST):
        assert content(running, id, reader)
    narrow = analyst("b", fuzhou, ("family",))
    for stranger in (analyst("b", xiamen), analyst("a", "350102000000"), narrow):
        refuses(running, "not_found", id, stranger)
        with pytest.raises(Refused, match="not_found"):
            view(running, id, stranger)
    own = start(running, narrow, table="request_list", format="csv", division=fuzhou)
    turn(running)
    fields = {row[2] for row in lines(content(running, own, narrow))[1:] if len(row) > 1}
    assert fields <= {"family"}


def test_what_cannot_be_is_refused_with_what_can_and_a_file_is_gone_when_its_time_is_over(running: Insight) -> None:
    for wrong, known in (({"format": "pdf"}, "xlsx"), ({"table": "names"}, "people"), ({"of": "all"}, "taken")):
        with pytest.raises(Refused) as refused:
            start(running, **{"table": "request_list", "format": "csv", **wrong})
        assert refused.value.code == "unknown_code" and known in refused.value.facts["known"]
    with pytest.raises(Refused, match="not_found"):
        start(running, analyst(division="350200000000"), table="people", format="csv")
    ids = [start(running, table="trend", format="csv", since=running.world.today) for _ in range(5)]
    with pytest.raises(Refused, match="exports_waiting"):
        start(running, table="people", format="csv")
    turn(running)
    forward(running.settings, ("insight",), 73 * 3_600_000)
    assert refuses(running, "file_expired", ids[0])
    for _ in range(2):
        run_schedule(running.bus, SERVICE.schedules[0])
    with running.bus.own_db() as db:
        assert db.rows("select count(*) from export_part") == db.rows("select count(*) from export_page") == [(0,)]
        assert db.rows("select distinct state from export") == [("expired",)]
    forward(running.settings, ("insight",), -73 * 3_600_000)
