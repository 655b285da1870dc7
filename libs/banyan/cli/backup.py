"""Backup and restore of every service's database; who was erased meanwhile is erased again before anything serves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from banyan.kernel.refusal import Refused
from banyan.runtime.events import schemas
from banyan.runtime.host.app import package_of
from banyan.runtime.host.erasures import Ledger
from banyan.runtime.host.migrate import ensure_database, migrate
from banyan.runtime.host.settings import Settings
from banyan.testkit.postgres import binaries

Say = Callable[[str], object]
FILE = "{service}.dump"
AGAIN = (
    "update person_key set wrapped = null, destroyed_at = coalesce(destroyed_at, now())"
    " where person_id = any(%s) and wrapped is not null"
)


def backup(settings: Settings, services: Sequence[str], folder: Path, say: Say) -> None:
    """One consistent dump a service. Keys are not in it: they are backed up apart, or nothing personal can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    for service in (name.rsplit(".", 1)[-1] for name in services):
        file = folder / FILE.format(service=service)
        _run("pg_dump", "--format=custom", f"--file={file}", settings.owner_url(service))
        say(f"{service} 已备份：{file}（{file.stat().st_size // 1024} KB）")


def restore(settings: Settings, services: Sequence[str], folder: Path, ledger: Ledger, say: Say) -> int:
    """Restores into databases that hold no table yet, erases again, then migrates: only that lets the service's role in.

    Answers how many erasures were needed. Refuses `backup_missing` and `database_not_empty`."""
    erased = 0
    for name in services:
        service = name.rsplit(".", 1)[-1]
        file = folder / FILE.format(service=service)
        if not file.exists():
            raise Refused("backup_missing", file=str(file))
        ensure_database(settings, service)
        url = settings.owner_url(service)
        with psycopg.connect(url) as connection:
            if connection.execute("select to_regclass('public.outbox')").fetchone() != (None,):
                raise Refused("database_not_empty", service=service)
        _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={url}", str(file))
        with psycopg.connect(url) as connection:
            if connection.execute("select to_regnamespace(%s)", (schemas.LIVE,)).fetchone() != (None,):
                schemas.look_in_live(connection)
            again = connection.execute(AGAIN, (sorted(ledger.persons(service)),)).rowcount
        erased += again
        migrate(settings, service, package_of(name))
        say(f"{service} 已恢复；重新执行个人信息删除 {again} 人")
    return erased


def _run(program: str, *arguments: str) -> None:
    command = [str(binaries() / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused("step_failed", step=program, said=done.stderr[-1500:])
