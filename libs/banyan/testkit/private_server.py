"""What a private PostgreSQL and a private RabbitMQ have in common: a folder, a state file, signals."""

from __future__ import annotations

import abc
import pwd
import secrets
import signal
from pathlib import Path
from typing import Any, Self

import psutil

from banyan.testkit import detached

START_LIMIT_S = 120.0
STOP_LIMIT_S = 60.0


class PrivateServer(abc.ABC):
    """A server of our own under `folder`, on free loopback ports. It outlives its starter; whoever names the
    same folder later finds it, may use it and may stop it."""

    title: str
    users: tuple[str, ...]

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        self.state: dict[str, Any] = detached.read_state(self.folder)

    @classmethod
    def attach(cls, folder: Path | str) -> Self:
        """The server that already runs under the folder; fails if none does."""
        server = cls(folder)
        if not server.running:
            raise detached.ServerFailed(f"{server.folder} 下没有正在运行的 {cls.title}。")
        return server

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """Where a client with all rights connects."""

    @abc.abstractmethod
    def _prepare(self, home: Path, user: pwd.struct_passwd | None) -> None:
        """Writes what the server needs before its first start: data folder, passwords, settings."""

    @abc.abstractmethod
    def _launch(self, home: Path, user: pwd.struct_passwd | None) -> dict[str, psutil.Process]:
        """Starts the processes; `main` is the one whose death is the server's."""

    @abc.abstractmethod
    def _ready(self) -> bool:
        """True once clients are served."""

    @abc.abstractmethod
    def _ask_to_stop(self, main: psutil.Process) -> None:
        """Tells the server to end in good order."""

    @property
    def home(self) -> Path:
        """The folder of the server's own files; under `folder` unless its user cannot pass there."""
        return Path(self.state["home"])

    @property
    def log(self) -> Path:
        """What the server said, all starts in one file."""
        return self.home / "server.log"

    @property
    def password(self) -> str:
        """Made at the first start, kept in the state file for its owner alone."""
        return str(self.state["password"])

    @property
    def running(self) -> bool:
        """True while the main process lives, frozen or not."""
        return self._main() is not None

    def _main(self) -> psutil.Process | None:
        return detached.find(self.state.get("processes", {}).get("main"))

    def _processes(self) -> list[psutil.Process]:
        found = (detached.find(mark) for mark in self.state.get("processes", {}).values())
        return [process for process in found if process is not None]

    def start(self) -> Self:
        """Starts the server and waits until it serves; does nothing if it runs."""
        with detached.exclusive(self.folder):
            self.state = detached.read_state(self.folder)
            if self.running:
                return self
            user = detached.unprivileged(*self.users)
            home = detached.reachable_home(self.folder, user, self.state.get("home"))
            self.state |= {"home": str(home), "password": self.state.get("password") or secrets.token_urlsafe(18)}
            detached.write_state(self.folder, self.state)
            self._prepare(home, user)
            self.state["processes"] = {name: detached.stamp(p) for name, p in self._launch(home, user).items()}
            detached.write_state(self.folder, self.state)
            self._wait_ready()
        return self

    def _wait_ready(self) -> None:
        def ready_or_dead() -> bool:
            return not self.running or self._ready()

        words = f"{self.title} 未能就绪"
        detached.wait_until(ready_or_dead, timeout_s=START_LIMIT_S, failing=words, log=self.log)
        if not self.running:
            raise detached.ServerFailed(f"{self.title} 启动后退出。\n{detached.tail(self.log)}")

    def stop(self) -> None:
        """Ends the server in good order, all data kept; does nothing if it does not run."""
        with detached.exclusive(self.folder):
            self.state = detached.read_state(self.folder)
            if main := self._main():
                self.thaw()
                members = detached.family(main)
                self._ask_to_stop(main)
                words = f"{self.title} 未能停止"
                detached.wait_until(
                    lambda: detached.gone(members), timeout_s=STOP_LIMIT_S, failing=words, log=self.log
                )
            self._kill_all()

    def kill(self) -> None:
        """SIGKILL to every process of the server at once, as a power cut does it; the data stays."""
        with detached.exclusive(self.folder):
            self.state = detached.read_state(self.folder)
            self._kill_all()

    def _kill_all(self) -> None:
        killed = [member for p in self._processes() for member in detached.signal_family(p, signal.SIGKILL)]
        if killed:
            words = f"{self.title} 的进程无法结束"
            detached.wait_until(lambda: detached.gone(killed), timeout_s=STOP_LIMIT_S, failing=words, log=self.log)
        if self.state:
            self.state["processes"] = {}
            detached.write_state(self.folder, self.state)

    def freeze(self) -> None:
        """SIGSTOP to all its processes: connections stay open and nobody answers."""
        for process in self._processes():
            detached.signal_family(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all its processes, undoing a freeze."""
        for process in self._processes():
            detached.signal_family(process, signal.SIGCONT)

    def restart(self) -> Self:
        """Stops in good order and starts on the same ports."""
        self.stop()
        return self.start()

    def destroy(self) -> None:
        """Kills the server and deletes its data; only for servers that a test made."""
        self.kill()
        home = self.home if "home" in self.state else None
        detached.forget(self.folder, home)
        self.state = {}
