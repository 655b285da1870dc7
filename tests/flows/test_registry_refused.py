"""Rows that an import refused: a file to correct and take in again, for those who may, and not for ever."""

from __future__ import annotations

import csv
import hashlib
import io

import pytest

from banyan.contracts import registry as words
from banyan.contracts.frame import FilePart
from banyan.kernel.context import Caller
from banyan.kernel.refusal import Refused
from services.registry import jobs
from tests.flows.registry_desk import Desk
from tests.flows.registry_files import HEADER, csv_of, number_of, outcome, row_of, start


def refused_file(desk: Desk, id: str, caller: Caller | None = None) -> bytes:
    """The file of refused rows, put together from its parts."""
    parts: list[FilePart] = []
    while not parts or sum(len(part.content) for part in parts) < parts[0].size:
        parts.append(desk.ask(words.ReadRefusedRows(import_id=id, part=len(parts)), caller))
    whole = b"".join(part.content for part in parts)
    assert hashlib.sha256(whole).hexdigest() == parts[0].digest
    return whole


def test_refused_rows_come_back_as_a_file_that_is_corrected_and_taken_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FILE_PART_BYTES", 300)
    formula = '=HYPERLINK("http://example.invalid")'
    rows = [row_of(1), row_of(2, 姓名=formula, 通过日期="去年", 电话="+8613812345678"), row_of(3, 服务领域="占星")]
    view = outcome(desk, csv_of(rows, encoding="gb18030"))

    text = refused_file(desk, view.id).decode("utf-8-sig")
    head, first, second = csv.reader(io.StringIO(text, newline=""))
    assert head == [*HEADER, "原行号", "退回代码", "退回原因", "补救办法"]
    assert first[0] == f"'{formula}" and first[3] == "'+8613812345678" and first[-4:-2] == ["3", "date_format"]
    assert first[1:3] == list(row_of(2)[1:3]) and "\r\n=" not in text
    assert second[: len(HEADER)] == list(row_of(3, 服务领域="占星")) and "field=fields" in second[-2] and second[-1]
    seen = desk.rows("select row -> 'seen' from audit where row ->> 'method' = 'read_refused_rows'")
    assert len(seen) > 1 and all(list(fields.values()) == [["content"]] for (fields,) in seen)
    assert "占星" not in str(desk.rows("select body from upload union all select body from upload_history"))

    again = outcome(desk, text.replace("去年", "2020-09-01").replace("占星", "社区建设").encode())
    assert (again.rows, again.refused, again.items) == (2, 0, ())
    names = {line.name for line in desk.ask(words.FindPeople(last4="5678")).items}
    assert names == {formula}
    with pytest.raises(Refused) as refused:
        refused_file(desk, again.id)
    assert (refused.value.code, refused.value.facts["refused"]) == ("file_none", 0)


def test_refused_rows_are_for_registrars_of_the_place_and_destroyed_when_their_days_are_over(desk: Desk) -> None:
    id = start(desk, csv_of([row_of(1, 姓名="")]))
    with pytest.raises(Refused, match="file_not_ready"):
        refused_file(desk, id)
    assert desk.jobs() == 1
    with pytest.raises(Refused, match="not_found"):
        refused_file(desk, id, desk.caller(division="350102000000"))
    with pytest.raises(Refused, match="past_the_end"):
        desk.ask(words.ReadRefusedRows(import_id=id, part=9))
    assert number_of(1) in refused_file(desk, id).decode()
    parts = "select person_id from person_key where wrapped is not null and person_id like 'u-%%'"
    assert len(desk.rows(parts)) == 1
    desk.move(31)
    with pytest.raises(Refused, match="file_expired"):
        refused_file(desk, id)
    desk.turn()
    assert desk.rows(parts) == []
    assert desk.ask(words.GetImport(import_id=id)).refused == 1
