"""Imports on a real PostgreSQL: files as people make them, every refused row told, a job that survives its death."""

from __future__ import annotations

import datetime as dt
import hashlib
import signal
import time
from pathlib import Path

import pytest

from banyan.contracts import registry as words
from banyan.kernel.refusal import Refused
from tests.flows.jobs_processes import started
from tests.flows.registry_desk import SIMING, Desk
from tests.flows.registry_files import HEADER, csv_of, number_of, outcome, row_of, start, xlsx_of
from tests.rules.registry_given import citizen

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60


def test_good_rows_come_in_and_every_bad_row_is_told_with_its_number_and_a_remedy(desk: Desk):
    wrong = number_of(3)[:-1] + ("0" if number_of(3)[-1] != "0" else "1")
    rows = [
        row_of(1),
        row_of(2, 工作所在区划代码="350102001001"),
        row_of(3, 证件号码=wrong),
        row_of(1, 电话=""),
        row_of(4, 通过日期="去年"),
        row_of(5, 服务领域="占星"),
        row_of(6, 证书编号=""),
        ("",) * len(HEADER),
        row_of(7, 姓名="阿依古丽·买买提"),
        row_of(8, 姓名="林\0梅"),
        row_of(9, 姓名="林" * 200),
        row_of(10, 通过日期="0001-01-01"),
    ]

    view = outcome(desk, csv_of(rows))

    assert (view.state, view.rows, view.done, view.refused) == ("finished", 11, 11, 9)
    assert [(row.row, row.code) for row in view.items] == [
        (3, "not_found"),
        (4, "document_checksum"),
        (5, "repeated_in_file"),
        (6, "date_format"),
        (7, "value_unknown"),
        (8, "particular_missing"),
        (11, "bad_input"),
        (12, "bad_input"),
        (13, "bad_input"),
    ]
    assert view.items[2].facts == "first_row=2"
    assert all(row.title and row.remedy for row in view.items)
    assert desk.rows("select count(*) from person where state = 'submitted'") == [(2,)]
    assert citizen() not in str(desk.rows("select facts from job_row"))


def test_refused_rows_are_paged(desk: Desk):
    view = outcome(desk, csv_of([row_of(at, 姓名="") for at in range(5)]))
    first = desk.ask(words.GetImport(import_id=view.id, limit=3))
    rest = desk.ask(words.GetImport(import_id=view.id, limit=3, next=first.next))

    assert [row.row for row in (*first.items, *rest.items)] == [2, 3, 4, 5, 6]
    assert rest.next is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_is_read_as_spreadsheets_write_it(desk: Desk, encoding: str):
    view = outcome(desk, csv_of([row_of(1)], encoding=encoding), part_bytes=100)

    assert (view.rows, view.refused) == (1, 0)
    assert [line.name for line in desk.ask(words.FindPeople()).items] == ["林晓梅"]


def test_xlsx_with_days_and_numbers_as_cells(desk: Desk):
    view = outcome(desk, xlsx_of([row_of(1, 电话=13800000001, 通过日期=dt.date(2020, 9, 1))]), "xlsx")

    assert (view.rows, view.refused) == (1, 0)


@pytest.mark.parametrize(
    ("content", "format", "failure"),
    [
        (b"\xff\xfe\x00", "csv", "file_unreadable"),
        (b"", "csv", "file_unreadable"),
        (b"PK not a workbook", "xlsx", "file_unreadable"),
        (csv_of([], header=("姓名", "星座")), "csv", "column_unknown"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole(desk: Desk, content: bytes, format: str, failure: str):
    view = outcome(desk, content, format)

    assert (view.state, view.failure) == ("failed", failure)


def test_a_file_that_was_altered_or_is_not_whole_is_not_taken_in(desk: Desk):
    digest = hashlib.sha256(b"ab").hexdigest()
    desk.order(words.AddUpload(division=SIMING, digest=digest, part=0, parts=2, content=b"a"))
    with pytest.raises(Refused, match="upload_missing"):
        desk.order(words.StartImport(division=SIMING, digest=digest, format="csv"))
    with pytest.raises(Refused, match="part_uploaded"):
        desk.order(words.AddUpload(division=SIMING, digest=digest, part=0, parts=2, content=b"a"))
    desk.order(words.AddUpload(division=SIMING, digest=digest, part=1, parts=2, content=b"c"))
    id = desk.order(words.StartImport(division=SIMING, digest=digest, format="csv"))["id"]

    desk.jobs()

    assert desk.ask(words.GetImport(import_id=id)).failure == "upload_damaged"


def test_the_file_is_sealed_while_it_waits_and_gone_when_it_is_taken_in(desk: Desk):
    content = csv_of([row_of(1)])
    start(desk, content)
    kept = str(desk.rows("select body from upload")) + str(desk.rows("select body from upload_history"))
    assert number_of(1) not in kept

    desk.jobs()

    assert desk.rows("select body ->> 'content' from upload") == [(None,)]
    assert desk.rows("select wrapped from person_key where person_id like 'u-%%'") == [(None,)]


def test_an_import_checks_duplicates_against_what_is_there(desk: Desk):
    outcome(desk, csv_of([row_of(1)]))
    view = outcome(desk, csv_of([row_of(1), row_of(900, 电话=row_of(1)[3])]))

    assert [row.code for row in view.items] == ["document_taken"]
    assert len(desk.ask(words.FindDuplicates()).items) == 0  # another birth date: nobody is suspected
    third = row_of(1, 证件种类="护照", 证件号码="E12345678")
    header = (*HEADER, "出生日期", "性别")
    outcome(desk, csv_of([(*third, "1970-01-01", "女")], header=header))
    assert len(desk.ask(words.FindDuplicates()).items) == 1


def test_probable_duplicates_within_one_file_are_suspected_too(desk: Desk):
    view = outcome(desk, csv_of([row_of(at, 电话="13812345678") for at in range(3)]))

    assert view.refused == 0
    pairs = desk.ask(words.FindDuplicates()).items
    assert len(pairs) == 3  # the second beside the first, the third beside both


def test_a_killed_import_goes_on_where_it_was_and_nobody_comes_in_twice(desk: Desk):
    many = 4_000
    id = start(desk, csv_of([row_of(at) for at in range(many)]))
    process = started(desk.settings, "registry")
    until = time.monotonic() + WAIT_S
    while not desk.rows("select 1 from job where done > 0"):
        assert time.monotonic() < until, "the import did not begin"
        assert process.poll() is None, "the import ended by itself"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ((done,),) = desk.rows("select done from job where id = %s", (id,))
    assert 0 < done < many

    _until_finished(desk, until)

    view = desk.ask(words.GetImport(import_id=id))
    assert (view.state, view.rows, view.refused) == ("finished", many, 0)
    assert desk.rows("select count(*), count(distinct document_index) from person") == [(many, many)]
    assert desk.rows("select count(*) from outbox where type like '%%person.drafted%%'") == [(many,)]


def _until_finished(desk: Desk, until: float) -> None:
    """The dead process's database session may live on for a moment and hold the job's lock."""
    while desk.jobs() == 0:
        assert time.monotonic() < until, "the import was not taken up again"
        time.sleep(0.05)
