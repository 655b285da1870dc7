"""A file is saved under its own name, also by whoever reads only plain ones."""

from __future__ import annotations

import pytest

from banyan.contracts.frame import FilePart
from services.gateway.downloads import headers_of


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("mr-01a2-certificate.npz", "mr-01a2-certificate.npz"),
        ("人员.csv", "file.csv"),
        ("..", "file"),
        ("../etc/passwd", "file"),
        ('a";x="b.csv', "file.csv"),
        ("a\r\nSet-Cookie: b", "file"),
    ],
)
def test_a_file_has_a_plain_name_beside_its_own(name: str, plain: str) -> None:
    part = FilePart(name=name, media_type="text/csv", size=1, digest="d", part=0, content=b"x")
    found = headers_of(part, 1)["Content-Disposition"]
    assert found.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''") and not set("\r\n") & set(found)
