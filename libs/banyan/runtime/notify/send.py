"""Sends waiting notices in the order they are due; quiet hours hold back all that is not urgent."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import structlog

from banyan.kernel.context import SHANGHAI, Context
from banyan.kernel.message import SYSTEM
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.bus import Bus
from banyan.runtime.host.settings import Settings
from banyan.runtime.notify.channels import Channel, Undelivered, channel_named
from banyan.runtime.notify.declare import DELIVERED, FAILED, Sent

log = structlog.get_logger()
BATCH, TRIES, AGAIN_S = 100, 3, 60
DUE = (
    "select id, template, recipient, facts, urgent, attempts, banyan_now() from notice"
    " where state = 'waiting' and due_at <= banyan_now() order by due_at, id limit %s for update skip locked"
)
SENT = "update notice set state = 'sent', channel = %s, receipt = %s, sent_at = banyan_now() where id = %s"
LATER = "update notice set attempts = attempts + 1, due_at = %s where id = %s"
WAIT = "update notice set due_at = %s where id = %s"
UNTOLD = (
    "select id, template, recipient, about, facts, coalesce(channel, ''), coalesce(receipt, ''),"
    " coalesce(sent_at, banyan_now()), state = 'sent' from notice where state <> 'waiting' and not told"
    " order by id limit %s"
)
TOLD = "update notice set told = true where id = %s"
GIVEN_UP = "update notice set state = 'failed', attempts = attempts + 1 where id = %s"


@cache
def templates(package: str) -> dict[str, str]:
    """The service's templates, 简体中文, by name; {facts} stand in braces."""
    file = resources.files(package).joinpath("templates.toml")
    rows = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    return {name: row["text"] if isinstance(row, dict) else row for name, row in rows.items()}


class Sender:
    """Sends the notices of one service, one process at a time."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self._bus, self._package, self._settings = bus, bus.service.package, settings

    def turn(self) -> bool:
        """Sends what is due, then tells the service what became of it; True where there may be more."""
        with self._bus.pool.connection() as connection, connection.transaction():
            rows = connection.execute(DUE, (BATCH,)).fetchall()
            for row in rows:
                self._one(connection, row)
        return self._tell_all() or len(rows) == BATCH

    def _one(self, connection: Any, row: Any) -> None:
        id, template, recipient, facts, urgent, attempts, now = row
        quiet_until = None if urgent else self._quiet_until(connection, now)
        if quiet_until is not None:
            connection.execute(WAIT, (quiet_until, id))
            return
        try:
            text = templates(self._package)[template].format_map(facts)
        except (KeyError, ValueError) as error:  # one wrong template must not hold back the others
            log.error("通知模板有误", notice=id, template=template, error=repr(error))
            connection.execute(GIVEN_UP, (id,))
            return
        for channel in self._channels(connection, facts, now):
            try:
                receipt = channel.send(id, recipient, text)
            except (Undelivered, OSError) as error:
                log.warning("通知未送达，换下一渠道", notice=id, channel=channel.name, error=repr(error))
                continue
            connection.execute(SENT, (channel.name, receipt, id))
            return
        if attempts + 1 < TRIES and not urgent:
            connection.execute(LATER, (now + dt.timedelta(seconds=AGAIN_S), id))
        else:
            connection.execute(GIVEN_UP, (id,))

    def _channels(self, connection: Any, facts: dict[str, str], now: dt.datetime) -> list[Channel]:
        """The one that the notice names, else all in the order of the figure, else those of this instance."""
        try:
            known = self._context(connection, now).figure("notice_channels")
        except Refused:
            known = tuple(self._settings.notice_channels) or ("file",)
        names = (facts["channel"],) if facts.get("channel") else known
        return [channel_named(self._settings, self._bus.service.name, name) for name in names]

    def _context(self, connection: Any, now: dt.datetime) -> Context:
        return self._bus.context(connection, self._bus.service.system_caller, now, (SYSTEM,))

    def _tell_all(self) -> bool:
        """Repeats after a crash: each command has the notice's own key, so it takes effect once."""
        with self._bus.pool.connection() as connection:
            rows = connection.execute(UNTOLD, (BATCH,)).fetchall()
        for *fields, arrived in rows:
            self._tell(Sent(*fields), arrived)
            with self._bus.pool.connection() as connection:
                connection.execute(TOLD, (fields[0],))
        return len(rows) == BATCH

    def _quiet_until(self, connection: Any, now: dt.datetime) -> dt.datetime | None:
        """When quiet hours end, None outside of them; hours of Shanghai, both policy data."""
        context = self._context(connection, now)
        try:
            begins, ends = context.figure("notice_quiet_from_hour"), context.figure("notice_quiet_until_hour")
        except Refused:
            return None
        local = now.astimezone(SHANGHAI)
        if not (local.hour >= begins or local.hour < ends):
            return None
        day = local.date() + dt.timedelta(days=1 if local.hour >= begins else 0)
        return dt.datetime.combine(day, dt.time(ends), SHANGHAI)

    def _tell(self, notice: Sent, arrived: bool) -> None:
        """The service learns of the receipt, or that nobody could be reached; under the notice's own key."""
        hook = (DELIVERED if arrived else FAILED).get((self._package, notice.template))
        for number, command in enumerate(hook(notice) if hook else ()):
            try:
                self._bus.system(command, f"notice:{notice.id}:{arrived}:{number}")
            except Refused as refused:
                log.warning("送达结果未能记入", notice=notice.id, code=refused.code)
