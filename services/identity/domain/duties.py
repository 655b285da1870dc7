"""Duties 职责 as data: their names, the assurance each needs, and which never share an account."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from banyan.kernel.refusal import Refused


class Duty(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One duty; `apart` names the group of which nobody holds two, `given` False: no account ever holds it."""

    code: str
    name: str
    acr: str = "1"
    apart: str = ""
    given: bool = True


@cache
def duties() -> dict[str, Duty]:
    """Every duty by its code, in the order of duties.toml."""
    text = resources.files("services.identity").joinpath("duties.toml").read_text("utf-8")
    rows = tomllib.loads(text)
    return {code: msgspec.convert({"code": code, **row}, Duty) for code, row in rows.items()}


def duty(code: str) -> Duty:
    """The duty that may be given; refuses `unknown_duty`."""
    found = duties().get(code)
    if found is None or not found.given:
        raise Refused("unknown_duty", duty=code)
    return found


def excludes(code: str) -> tuple[str, ...]:
    """The duties that never share an account with this one."""
    group = duties()[code].apart
    return tuple(d.code for d in duties().values() if group and d.apart == group and d.code != code)


def require_apart(code: str, held: Iterable[str]) -> None:
    """Refuses `duties_exclude` where one of the duties held excludes the new one."""
    clash = sorted(set(excludes(code)) & set(held))
    if clash:
        raise Refused("duties_exclude", duty=code, held=clash)


def assured(code: str, acr: str) -> bool:
    """Whether a session of that assurance may act by the duty; a duty that is no longer listed acts never."""
    found = duties().get(code)
    return found is not None and found.acr <= acr
