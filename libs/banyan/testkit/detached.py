"""Starts a server that outlives its starter, as a user without rights where the starter is root, and finds it again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

LOG_LINES_SHOWN = 30
POLL_S = 0.02
PORT_WAIT_S = 5.0


class ServerFailed(RuntimeError):
    """A private server did not do what it was told; the text ends with the tail of its log."""


def free_port() -> int:
    """A TCP port on the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """True if a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def kept_port(port: int | None) -> int:
    """The port of the last run, so that clients find a restarted server; another if it stays taken for 5 seconds
    (the threads of a killed server outlive its main thread a little, and hold the port so long)."""
    until = time.monotonic() + PORT_WAIT_S
    while port and not port_is_free(port) and time.monotonic() < until:
        time.sleep(POLL_S)
    return port if port and port_is_free(port) else free_port()


def unprivileged(*names: str) -> pwd.struct_passwd | None:
    """The first of these users that exists, else nobody; None where we are no root and run as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in (*names, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerFailed("本机没有可用的普通用户（nobody），服务器不能以 root 身份运行。")


def as_user(user: pwd.struct_passwd | None) -> list[str]:
    """The command prefix that drops to the user, empty where nothing is to drop."""
    if user is None:
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def reachable_home(folder: Path, user: pwd.struct_passwd | None, last: str | None) -> Path:
    """Where the server's files lie: where they lay last, else in the folder, or, if its user cannot pass there
    (a clone under a closed home), in /var/tmp under a name made of the folder's path: it survives a reboot."""
    home = Path(last) if last and Path(last).exists() else folder / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not home.is_relative_to(folder):
        _require_own(home, user)
    if can_write(home, user):
        return home
    if any(home.iterdir()):
        raise ServerFailed(f"服务器的用户 {user and user.pw_name} 进不了 {home}；请恢复上级目录的通行权限再试。")
    outside = _unused(Path("/var/tmp") / f"banyan-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}")
    outside.mkdir(mode=0o700, exist_ok=True)
    _require_own(outside, user)
    give(outside, user, 0o700)
    return outside


def _unused(home: Path) -> Path:
    """The name, or the first with a number behind it, under which no server's files lie: those of a folder that was moved
    aside or deleted are another server's, with another password."""
    names = (home, *(home.with_name(f"{home.name}-{number}") for number in range(2, 1000)))
    return next(name for name in names if not name.exists() or not any(name.iterdir()))


def _require_own(home: Path, user: pwd.struct_passwd | None) -> None:
    if home.is_symlink() or home.stat().st_uid not in (0, user.pw_uid if user else os.geteuid()):
        raise ServerFailed(f"{home} 属于其他用户，不能使用；请移走它再试。")


def can_write(home: Path, user: pwd.struct_passwd | None) -> bool:
    """Hands the folder to the user and tries, as that user, whether the way there is open."""
    if user is None:
        return True
    give(home, user, 0o700)
    return subprocess.run([*as_user(user), "test", "-w", str(home)], check=False, capture_output=True).returncode == 0


def give(path: Path, user: pwd.struct_passwd | None, mode: int) -> None:
    """Hands a file or folder to the server's user with exactly this mode."""
    path.chmod(mode)
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def write_private(path: Path, text: str, user: pwd.struct_passwd | None, mode: int = 0o600) -> None:
    """Writes a file that never was readable by others, not even for a moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    give(path, user, mode)


def launch(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, pid_file: Path) -> psutil.Process:
    """Starts the command in a session of its own, its words appended to the log, its pid written to the file."""
    pid_file.unlink(missing_ok=True)
    note_pid = 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@"'
    with log.open("ab") as out:
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", note_pid, str(pid_file), *command],
            cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True,
        )  # fmt: skip
    wait_until(pid_file.exists, timeout_s=20, failing=f"未能启动：{command[-1]}", log=log)
    try:
        return psutil.Process(int(pid_file.read_text()))
    except psutil.NoSuchProcess:
        raise ServerFailed(f"启动后立即退出。\n{tail(log)}") from None


def wait_until(true: Callable[[], bool], *, timeout_s: float, failing: str, log: Path) -> None:
    """Polls until true; after the limit it fails with the sentence and the log's tail."""
    until = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > until:
            raise ServerFailed(f"{failing}（已等待 {timeout_s:.0f} 秒）\n{tail(log)}")
        time.sleep(POLL_S)


def tail(log: Path) -> str:
    """The last lines of a log with its address, to be shown when something failed."""
    if not log.exists():
        return f"（没有日志 {log}）"
    lines = log.read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join([f"日志 {log} 的末尾：", *lines])


def stamp(process: psutil.Process) -> dict[str, float]:
    """What names a process beyond reuse of its pid: the pid and when it began."""
    return {"pid": process.pid, "began": process.create_time()}


def find(mark: Mapping[str, float] | None) -> psutil.Process | None:
    """The process that the stamp names, if it still lives (a zombie does not)."""
    if mark is None:
        return None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(mark["pid"]))
        # A system clock that was set shifts the creation times a little; a reused pid is seconds away.
        if abs(process.create_time() - mark["began"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants, the eldest first."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def signal_family(process: psutil.Process, number: int) -> list[psutil.Process]:
    """Signals the eldest first, then its descendants until no new one shows up; answers who was signalled."""
    reached: dict[int, psutil.Process] = {}
    while fresh := [member for member in family(process) if member.pid not in reached]:
        for member in fresh:
            reached[member.pid] = member
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
    return list(reached.values())


def gone(processes: Sequence[psutil.Process]) -> bool:
    """True when none of these processes runs any more."""
    return not any(process.is_running() and _status(process) != psutil.STATUS_ZOMBIE for process in processes)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the folder for one starter or stopper at a time, across processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_state(folder: Path) -> dict[str, Any]:
    """What the last starter wrote down, empty where nobody did."""
    path = folder / "state.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes the state whole or not at all; it holds a password and is readable by its owner alone."""
    fresh = folder / "state.json.new"
    write_private(fresh, json.dumps(state, indent=1), None)
    fresh.replace(folder / "state.json")


def forget(folder: Path, home: Path | None) -> None:
    """Deletes a stopped server's files, those outside the folder too."""
    for path in (home, folder):
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)
