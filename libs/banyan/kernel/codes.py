"""Code tables 代码表: every enumeration that a person chooses from, with its code, 中文 name and source.

The tables stand in kernel/data/codes_*.toml: `[kind]` title and source, `[kind.names]` code = name. Codes are strings,
never reused; an entry may carry more in `[kind.more.<code>]`, as a protected kind says whom it protects.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from banyan.kernel.refusal import Refused

FILES = ("codes_service.toml", "codes_person.toml")


class Codes(Mapping[str, str]):
    """One table: code → 中文 name, in the order that people know."""

    def __init__(self, kind: str, title: str, source: str, names: Mapping[str, str], more: Mapping[str, Any]) -> None:
        self.kind = kind
        self.title = title
        self.source = source
        self._names = MappingProxyType(dict(names))
        self._more = more

    def __getitem__(self, code: str) -> str:
        return self._names[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def name(self, code: str) -> str:
        """The 中文 name of a code. Refuses `unknown_code`."""
        return self._names[self.require(code)]

    def require(self, code: str) -> str:
        """The code itself if the table has it. Refuses `unknown_code` with kind and value."""
        if code not in self._names:
            raise Refused("unknown_code", kind=self.kind, value=str(code)[:40])
        return code

    def more(self, code: str) -> Mapping[str, Any]:
        """What else the table says of a code; empty for most."""
        found: Mapping[str, Any] = self._more.get(self.require(code), {})
        return found


def _load() -> dict[str, Codes]:
    tables: dict[str, Codes] = {}
    for file in FILES:
        text = resources.files("banyan.kernel.data").joinpath(file).read_text("utf-8")
        for kind, table in tomllib.loads(text).items():
            if kind in tables:
                raise ValueError(f"code table {kind} stands in two files")
            tables[kind] = Codes(kind, table["title"], table["source"], table["names"], table.get("more", {}))
    return tables


CODES: Mapping[str, Codes] = MappingProxyType(_load())
"""Every table by kind: CODES["field"].name("welfare") is 社会福利."""


def require(kind: str, code: str) -> str:
    """The code if the table of that kind has it; refuses `unknown_code`, for an unknown kind too."""
    if kind not in CODES:
        raise Refused("unknown_code", kind="kind", value=str(kind)[:40])
    return CODES[kind].require(code)
