"""A private PostgreSQL from the machine's own package."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg

from banyan.testkit import detached
from banyan.testkit.private_server import PrivateServer

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may hold 107 bytes only, a clone's may be longer
    "max_connections": "300",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",  # a refused command's text, with its values, does not belong in a log
    "jit": "off",  # compiling costs more than it saves in queries of milliseconds
}


class PrivatePostgres(PrivateServer):
    """PostgreSQL on a free loopback port. `fsync=False` is for tests: a killed server loses nothing by it, a
    power cut does. `settings` are further PostgreSQL settings and win over ours."""

    title = "PostgreSQL"
    users = ("postgres",)

    def __init__(
        self, folder: Path | str, *, fsync: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder)
        durability = {} if fsync else {"fsync": "off", "full_page_writes": "off"}
        self.settings = {**SETTINGS, **durability, **(settings or {})}

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return int(self.state["port"])

    @property
    def url(self) -> str:
        """The superuser's address of the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The superuser's address of one database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def _prepare(self, home: Path, user: pwd.struct_passwd | None) -> None:
        self.state["port"] = detached.kept_port(self.state.get("port"))
        if (home / "data" / "PG_VERSION").exists():
            _clear_lock_of_the_dead(home / "data" / "postmaster.pid")
        else:
            self._make_cluster(home, user)

    def _make_cluster(self, home: Path, user: pwd.struct_passwd | None) -> None:
        shutil.rmtree(home / "data", ignore_errors=True)
        password_file = home / "password"
        detached.write_private(password_file, self.password, user)
        command = [
            *detached.as_user(user), str(binaries() / "initdb"), "-D", str(home / "data"), "-U", "postgres",
            "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        ]  # fmt: skip
        made = subprocess.run(command, cwd=home, env=_environment(), capture_output=True, text=True, check=False)
        password_file.unlink()
        if made.returncode != 0:
            shutil.rmtree(home / "data", ignore_errors=True)
            raise detached.ServerFailed(f"initdb 失败：\n{made.stdout}{made.stderr}")

    def _launch(self, home: Path, user: pwd.struct_passwd | None) -> dict[str, psutil.Process]:
        version = (home / "data" / "PG_VERSION").read_text().strip()
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [
            *detached.as_user(user), str(binaries(version) / "postgres"),
            "-D", str(home / "data"), "-p", str(self.port), *options,
        ]  # fmt: skip
        pid_file = self.folder / "main.pid"
        return {"main": detached.launch(command, cwd=home, env=_environment(), log=self.log, pid_file=pid_file)}

    def _ready(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _ask_to_stop(self, main: psutil.Process) -> None:
        main.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown: sessions are ended, a checkpoint is written


def binaries(version: str | None = None) -> Path:
    """The folder of initdb and postgres: the version that the data was made by, else the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    if version is not None:
        found = [path for path in found if path.parts[-3] == version] or found
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(os.path.realpath(on_path)).parent
    raise detached.ServerFailed("没有找到 PostgreSQL 服务器程序；请安装软件包 postgresql 后再试。")


def _clear_lock_of_the_dead(lock: Path) -> None:
    """PostgreSQL takes a killed server that nobody has reaped (a container without init) for a living one."""
    if not lock.exists():
        return
    words = lock.read_text().split()
    holder = int(words[0]) if words else 0
    if not psutil.pid_exists(holder) or psutil.Process(holder).status() == psutil.STATUS_ZOMBIE:
        lock.unlink()


def _major(path: Path) -> int:
    digits = re.match(r"\d+", path.parts[-3])
    return int(digits.group()) if digits else 0


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
