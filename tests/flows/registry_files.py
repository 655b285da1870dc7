"""Files of persons as people make them, and how a flow has one taken in."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Sequence

import xlsxwriter

from banyan.contracts import registry as words
from banyan.contracts.registry_answers import ImportView
from banyan.kernel.documents import check_character
from tests.flows.registry_desk import SIMING, Desk
from tests.rules.registry_given import VILLAGE

HEADER = (
    "姓名",
    "证件种类",
    "证件号码",
    "电话",
    "工作所在区划代码",
    "服务领域",
    "语言",
    "认定依据",
    "证书级别",
    "证书编号",
    "通过日期",
)
Cells = tuple[object, ...]


def number_of(at: int) -> str:
    """A resident number of its own for each of many generated people."""
    first = f"350203{dt.date(1970, 1, 1) + dt.timedelta(days=at // 450):%Y%m%d}{(at % 450) * 2 + 100:03d}"
    return first + check_character(first)


def row_of(at: int, **changes: object) -> Cells:
    row: dict[str, object] = {
        "姓名": "林晓梅",
        "证件种类": "居民身份证",
        "证件号码": number_of(at),
        "电话": f"138{at:08d}",
        "工作所在区划代码": VILLAGE,
        "服务领域": "婚姻家庭、社区建设",
        "语言": "普通话，闽南话",
        "认定依据": "取得职业水平证书",
        "证书级别": "社会工作师",
        "证书编号": f"GEN{at}",
        "通过日期": "2020年9月1日",
    }
    return tuple({**row, **changes}[title] for title in HEADER)


def csv_of(rows: Sequence[Cells], *, header: Sequence[str] = HEADER, encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode(encoding)


def xlsx_of(rows: Sequence[Cells]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for y, row in enumerate([HEADER, *rows]):
            for x, cell in enumerate(row):
                if isinstance(cell, dt.date):
                    sheet.write_datetime(y, x, dt.datetime.combine(cell, dt.time()), day)
                else:
                    sheet.write(y, x, cell)
    return content.getvalue()


def start(desk: Desk, content: bytes, format: str = "csv", part_bytes: int = words.UPLOAD_PART_BYTES) -> str:
    """Uploads a file in parts and asks for it to be taken in."""
    digest = hashlib.sha256(content).hexdigest()
    parts = [content[at : at + part_bytes] for at in range(0, len(content), part_bytes)] or [b""]
    for number, part in enumerate(parts):
        desk.order(words.AddUpload(division=SIMING, digest=digest, part=number, parts=len(parts), content=part))
    return str(desk.order(words.StartImport(division=SIMING, digest=digest, format=format))["id"])


def outcome(desk: Desk, content: bytes, format: str = "csv", **more: int) -> ImportView:
    id = start(desk, content, format, **more)
    assert desk.jobs() == 1
    view: ImportView = desk.ask(words.GetImport(import_id=id))
    return view
