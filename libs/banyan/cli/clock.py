"""Moves the one clock of all processes: in demo and test only, and every waiting time is then a simulated one."""

from __future__ import annotations

import re

import psycopg

from banyan.kernel.refusal import Refused
from banyan.runtime.host.settings import Settings

UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
AHEAD = "select make_partitions(banyan_now() + %s * interval '1 millisecond')"  # before a row of that month is written
MOVE = "update clock set offset_ms = offset_ms + %s returning offset_ms"


def milliseconds(text: str) -> int:
    """26h, 90m, 3d as milliseconds; refuses `bad_input` for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise Refused("bad_input", field="forward", detail="如 26h、90m、3d")
    return int(found[1]) * UNITS_MS[found[2]]


def forward(settings: Settings, services: tuple[str, ...], by_ms: int) -> int:
    """Moves the clock in every service's database; answers the offset in milliseconds. Refuses `clock_is_real`."""
    if settings.mode == "production":
        raise Refused("clock_is_real", mode=settings.mode)
    offset = 0
    for service in services:
        with psycopg.connect(settings.owner_url(service), autocommit=True) as connection:
            connection.execute(AHEAD, (by_ms,))
            offset = connection.execute(MOVE, (by_ms,)).fetchone()[0]  # type: ignore[index]
    return offset
