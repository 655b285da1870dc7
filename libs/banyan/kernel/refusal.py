"""A refusal is part of the API: a stable code, the facts to act on, a sentence and a remedy in 简体中文."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any


class Refused(Exception):
    """A rule said no. `code` is stable and public (docs/refusals.md); `facts` are JSON values, never personal data."""

    def __init__(self, code: str, /, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts: Mapping[str, Any] = facts

    def __str__(self) -> str:
        return f"{self.code} {dict(self.facts)}" if self.facts else self.code


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every code with its `title` and `remedy` (简体中文); the one source of docs/refusals.md and problem+json."""
    text = resources.files("banyan.kernel").joinpath("refusals.toml").read_text("utf-8")
    return tomllib.loads(text)


def sentence(code: str) -> tuple[str, str]:
    """The title and the remedy of a code; an unknown code is said to be one, never hidden."""
    entry = catalogue().get(code, {"title": f"请求被拒绝（{code}）", "remedy": "请联系平台运维人员，并告知追踪编号。"})
    return entry["title"], entry["remedy"]
