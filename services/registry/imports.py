"""Files of persons, CSV and XLSX: from a header and rows to commands, each refusal told with its row.

Headers are those of the template in 中文 or the names of RegisterPerson's fields; codes may be written as their names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

import msgspec
from python_calamine import CalamineError, CalamineWorkbook

from banyan.contracts.registry import Certificate, RegisterPerson
from banyan.kernel import cells, documents
from banyan.kernel.codes import CODES
from banyan.kernel.refusal import Refused
from banyan.wire.bodies import decoded, refuse_nul

Row = tuple[int, Sequence[object]]  # its number as the file shows it, and its cells
COLUMNS = {
    "姓名": "name",
    "证件种类": "document_kind",
    "证件号码": "document_number",
    "证件有效期至": "document_expires_on",
    "性别": "sex",
    "出生日期": "birth_date",
    "电话": "phone",
    "工作所在区划代码": "division",
    "居住地区划代码": "home_division",
    "学历": "education",
    "政治面貌": "political_status",
    "用人单位类型": "employer_kind",
    "岗位": "post",
    "社区工作者": "community_worker",
    "服务领域": "fields",
    "语言": "languages",
    "每周可服务次数": "weekly_capacity",
    "认定依据": "talent_basis",
    "认定证明": "talent_evidence",
    "证书级别": "level",
    "证书编号": "certificate_number",
    "通过日期": "passed_on",
    "登记起始日期": "registered_from",
}
REFUSED_COLUMNS = ("原行号", "退回代码", "退回原因", "补救办法")
"""What stands behind the columns of a file of refused rows; passed over when it comes back corrected."""
NEEDED = ("name", "document_kind", "document_number")
_LISTED = re.compile(r"[、,，;；\s]+")
_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[ T]00:00:00)?")
_YES, _NO = ("是", "1", "true", "yes"), ("", "否", "0", "false", "no")


def day(text: str) -> date:
    """A day as people write it: 2026-01-31, 2026/1/31, 20260131, 2026年1月31日. Refuses `date_format`."""
    return _day(text)


@lru_cache(maxsize=65_536)
def _day(text: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        return date(*(int(part) for part in found.groups())) if found else _no_day(text)
    except ValueError:
        return _no_day(text)


def _no_day(text: str) -> date:
    raise Refused("date_format")


@cache
def _codes(table: str) -> dict[str, str]:
    """Code or 中文 name → code."""
    names = CODES[table]
    return {**{name: code for code, name in names.items()}, **{code: code for code in names}}


def _coded(table: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        found = _codes(table).get(text)
        if found is None:
            raise Refused("value_unknown", table=table)
        return found

    return read


def _listed(table: str) -> Callable[[str], tuple[str, ...]]:
    one = _coded(table)
    return lambda text: tuple(one(part) for part in _LISTED.split(text) if part)


def _yes(text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise Refused("value_unknown", table="yes_no")
    return text.lower() in _YES


def _whole(text: str) -> int:
    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 9):
        raise Refused("value_unknown", table="whole_number")
    return int(digits)


def _sex(text: str) -> str:
    return {"男": "1", "女": "2"}.get(text) or _coded("sex")(text)


READ: Mapping[str, Callable[[str], Any]] = {
    "document_kind": _coded("document"),
    "document_number": documents.tidy,
    "document_expires_on": day,
    "sex": _sex,
    "birth_date": day,
    "education": _coded("education"),
    "political_status": _coded("political_status"),
    "employer_kind": _coded("employer_kind"),
    "community_worker": _yes,
    "fields": _listed("field"),
    "languages": _listed("language"),
    "weekly_capacity": _whole,
    "talent_basis": _coded("talent_basis"),
    "level": _coded("level"),
    "passed_on": day,
    "registered_from": day,
}


class Reader:
    """Turns the rows of one file into commands by its header. Refuses `column_unknown`."""

    def __init__(self, header: Sequence[object], *, division: str, submit: bool) -> None:
        self.titles = [text_of(cell).lstrip(cells.MARK) for cell in header]
        titles = ["" if title in REFUSED_COLUMNS else title for title in self.titles]
        fields = [COLUMNS.get(title, title) for title in titles]
        unknown = [
            title for title, field in zip(titles, fields, strict=True) if title and field not in COLUMNS.values()
        ]
        missing = [title for title, field in COLUMNS.items() if field in NEEDED and field not in fields]
        if unknown or missing:
            raise Refused("column_unknown", unknown=unknown, missing=missing)
        self._places = [(at, field, READ.get(field, str)) for at, field in enumerate(fields) if field]
        self._division, self._submit = division, submit

    def command(self, values: Sequence[object]) -> RegisterPerson:
        """The order to register one row's person. Refuses with the column that cannot be read."""
        found: dict[str, Any] = {"division": self._division}
        for at, field, read in self._places:
            text = text_of(values[at]) if at < len(values) else ""
            if text:
                refuse_nul(field, text)
                found[field] = _in_column(field, read, text)
        missing = [field for field in NEEDED if field not in found]
        if missing:
            raise Refused("particular_missing", field=missing[0])
        certificate = _certificate(found)
        command = RegisterPerson(**found, certificate=certificate, submit=self._submit)
        return _as_strict(command)


def _as_strict(command: RegisterPerson) -> RegisterPerson:
    """The same, held to all that an order over the wire is held to."""
    checked: RegisterPerson = decoded(msgspec.json.encode(command), RegisterPerson)
    return checked


def _in_column(field: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except Refused as refused:
        raise Refused(refused.code, field=field, **refused.facts) from None


def _certificate(found: dict[str, Any]) -> Certificate | None:
    """The certificate that three columns state together, all or none of them."""
    parts = {name: found.pop(name, None) for name in ("level", "certificate_number", "passed_on")}
    lacking = [name for name, value in parts.items() if value is None]
    if len(lacking) == len(parts):
        return None
    if lacking:
        raise Refused("particular_missing", field=lacking[0])
    return Certificate(level=parts["level"], number=parts["certificate_number"], passed_on=parts["passed_on"])


def text_of(cell: object) -> str:
    """A cell as text: numbers without a fraction, days in ISO form; without the mark that keeps it from being computed."""
    if isinstance(cell, str):
        return cells.as_given(cell.strip())
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return "" if cell is None else str(cell).strip()


def rows_of(content: bytes, format: str, *, division: str, submit: bool) -> tuple[Reader, list[Row]]:
    """The reader of a file and its rows that are not blank. Refuses `file_unreadable` and `column_unknown`."""
    lines = _xlsx(content) if format == "xlsx" else _csv(content)
    if not lines:
        raise Refused("file_unreadable")
    reader = Reader(lines[0], division=division, submit=submit)
    numbered = enumerate(lines[1:], start=2)
    return reader, [(number, values) for number, values in numbered if any(text_of(value) for value in values)]


def _csv(content: bytes) -> list[Sequence[object]]:
    """UTF-8 with or without mark, else GB 18030, as spreadsheets here write it."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return list(csv.reader(io.StringIO(content.decode(encoding), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error):
            continue
    raise Refused("file_unreadable")


def _xlsx(content: bytes) -> list[Sequence[object]]:
    """The first sheet."""
    try:
        return list(
            CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
        )
    except (CalamineError, OSError, IndexError):
        raise Refused("file_unreadable") from None
