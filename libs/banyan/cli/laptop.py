"""The whole platform on one machine: private servers, three processes, all their state under one folder."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from banyan.kernel.refusal import Refused
from banyan.runtime.host.settings import Settings, load
from banyan.runtime.host.vhost import is_ours, name_of
from banyan.testkit.detached import find, free_port, read_state, stamp, tail, write_state
from banyan.testkit.owned import at_path, claim_vhost, create_vhost
from banyan.testkit.servers import PrivatePostgres, PrivateRabbit
from banyan.vault import keys

ROOT = Path(__file__).resolve().parents[3]
BANYAN = (sys.executable, "-c", "from banyan.cli import main; import sys; sys.exit(main())")
PROCESSES = ("serve", "work", "gateway")
READY_S, STOP_S = 120.0, 40.0
Say = Callable[[str], object]


class Laptop:
    """One instance of the platform under `folder`. Whoever names the folder later finds it, and may stop it."""

    def __init__(
        self,
        folder: Path | str,
        *,
        mode: str = "demo",
        services: Sequence[str] = (),
        processes: Sequence[str] = PROCESSES,
        postgres_url: str | None = None,
        amqp_url: str | None = None,
        keys: Path | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.mode, self.services, self.processes = mode, tuple(services), tuple(processes)
        self._postgres_url = postgres_url or os.environ.get("BANYAN_POSTGRES_URL")
        self._amqp_url = amqp_url or os.environ.get("BANYAN_AMQP_URL")
        self._keys_at = keys
        self.state: dict[str, Any] = read_state(self.folder)

    @property
    def postgres(self) -> PrivatePostgres:
        """Its own PostgreSQL."""
        return PrivatePostgres(self.folder / "postgres")

    @property
    def rabbit(self) -> PrivateRabbit:
        """Its own RabbitMQ."""
        return PrivateRabbit(self.folder / "rabbit")

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.state['http_port']}"

    @property
    def key_folder(self) -> Path:
        """Outside of the run folder: clearing that never costs a key."""
        named = self._keys_at or os.environ.get("BANYAN_KEYS")
        return Path(named or ROOT / ".keys" / f"{self.mode}-{self._name()}")

    def environment(self) -> dict[str, str]:
        """What every process of this instance is started with; named servers of the environment go first."""
        own = {
            "BANYAN_MODE": self.mode,
            "BANYAN_POSTGRES_URL": self._postgres_url or self.postgres.url,
            "BANYAN_AMQP_URL": self._vhost_url(),
            "BANYAN_DATABASE_PREFIX": self.state["prefix"],
            "BANYAN_KEYS": str(self.key_folder),
            "BANYAN_RUN": str(self.folder),
            "BANYAN_HTTP_PORT": str(self.state["http_port"]),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "libs"), str(ROOT)]),
            "PYTHONUTF8": "1",
        }
        return {**os.environ, **own}

    def settings(self) -> Settings:
        """The settings that its processes have, for commands that look at its databases; those of the environment where
        no instance lies in the folder, as in a cluster."""
        if not self.state:
            return load()
        own = {k.removeprefix("BANYAN_").lower(): v for k, v in self.environment().items() if k.startswith("BANYAN_")}
        return Settings.model_validate(own)

    def up(self, say: Say, prepare: Callable[[], object] = lambda: None) -> float:
        """Starts all that does not run; answers the seconds until the platform was ready, servers not counted. `prepare` is done
        when the databases are up to date and nothing that this starts runs yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = read_state(self.folder) or {"http_port": free_port(), "prefix": self._prefix()}
        write_state(self.folder, self.state)
        self.servers_up(say)
        self._claim_vhost()
        self._keys(say)
        say("建立或升级各服务的数据库……")
        self.run_banyan("migrate", *self.services)
        prepare()
        started = time.monotonic()
        for name in self.processes:
            self.start(name)
        for name in self.processes:
            self.wait_ready(name)
        return time.monotonic() - started

    def _vhost_url(self) -> str:
        """Its vhost: its own broker's first, the named one if that is ours, else one of its own beside that."""
        url = self._amqp_url or self.rabbit.url
        return at_path(url, self.state["vhost"]) if self._amqp_url and self.state.get("vhost") else url

    def _claim_vhost(self) -> None:
        """Nothing is declared in a vhost that is not ours. Refuses `not_our_vhost` where none of our own can be made."""
        if not self._amqp_url:
            claim_vhost(self.rabbit.url, self.rabbit.admin_url, self.mode)
        elif not is_ours(self._amqp_url, self.mode):
            admin = os.environ.get("BANYAN_AMQP_ADMIN_URL")
            if not admin:
                raise Refused("not_our_vhost", vhost=name_of(self._amqp_url), mode=self.mode)
            self.state["vhost"] = f"banyan_{self.mode}_{self._name()[:6]}"
            write_state(self.folder, self.state)
            create_vhost(self._amqp_url, admin, self.state["vhost"])

    def _prefix(self) -> str:
        """On servers of its own a plain one; on named servers one that no other clone has."""
        return f"banyan_{self.mode}_" + (f"{self._name()[:6]}_" if self._postgres_url else "")

    def _name(self) -> str:
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]

    def _keys(self, say: Say) -> None:
        """First start: new keys, with a word on keeping them. Later: the same keys, or none of it starts."""
        if self.state.get("keys_made"):
            keys.KeyFolder(self.key_folder)
            return
        keys.create(self.key_folder)
        self.state["keys_made"] = True
        write_state(self.folder, self.state)
        say(f"密钥已建立于 {self.key_folder}。请另行备份该目录：密钥遗失则个人信息无法恢复，平台也不会另造。")

    def reset(self, say: Say) -> None:
        """A demo begins anew: its processes are stopped and the data that its last run generated are cleared. On named
        servers, whose data nobody clears, it takes new names instead. Keys are kept."""
        if not self.state:
            return
        self.down(lambda _: None)
        for server, named in ((self.postgres, self._postgres_url), (self.rabbit, self._amqp_url)):
            if not named and server.state:
                say(f"清除上一次演示生成的数据（{server.title}）……")
                server.destroy()
        self.state = read_state(self.folder)
        self.state["prefix"] = f"banyan_{self.mode}_" + (f"{secrets.token_hex(3)}_" if self._postgres_url else "")
        write_state(self.folder, self.state)

    def servers_up(self, say: Say) -> None:
        """Starts its private servers alone, empty ones where none lie in the folder; no server in place of a named one,
        and none where no instance lies."""
        if self.state and not self._postgres_url:
            say("启动私有 PostgreSQL……")
            self.postgres.start()
        if self.state and not self._amqp_url:
            say("启动私有 RabbitMQ……")
            self.rabbit.start()

    def run_banyan(self, *arguments: str) -> None:
        """Runs a command of `banyan` to its end; its failure is told with its own words."""
        command = [*BANYAN, *arguments]
        done = subprocess.run(command, env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused("step_failed", step=" ".join(arguments), said=(done.stdout + done.stderr)[-1500:])

    def start(self, name: str) -> None:
        """Starts one process, if it does not run."""
        if self.process(name) is not None:
            return
        (self.folder / f"{name}.ready").unlink(missing_ok=True)
        with (self.folder / f"{name}.log").open("ab") as out:
            child = subprocess.Popen(
                [*BANYAN, name, *(self.services if name != "gateway" else ())],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.state.setdefault("processes", {})[name] = stamp(psutil.Process(child.pid))
        write_state(self.folder, self.state)

    def wait_ready(self, name: str) -> None:
        """Waits until a process has said that it serves; its log's tail is shown where it died or took too long."""
        until = time.monotonic() + READY_S
        while not self._ready(name):
            if self.process(name) is None or time.monotonic() > until:
                raise Refused("process_not_ready", process=name, said=tail(self.folder / f"{name}.log"))
            time.sleep(0.05)

    def _ready(self, name: str) -> bool:
        if name != "gateway":
            return (self.folder / f"{name}.ready").exists()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return not json.load(answer)["silent"]
        except OSError:
            return False

    def process(self, name: str) -> psutil.Process | None:
        """The running process of that name."""
        return find(self.state.get("processes", {}).get(name))

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut does it."""
        process = self.process(name)
        if process is not None:
            process.kill()
            process.wait(10)

    def stop(self, name: str) -> None:
        """SIGTERM, and time to finish what it has begun."""
        process = self.process(name)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except psutil.TimeoutExpired:
            process.kill()

    def down(self, say: Say) -> None:
        """Stops everything in order; no data and no key is deleted."""
        for name in reversed(self.processes):
            if self.process(name) is not None:
                say(f"停止 {name}……")
                self.stop(name)
        for server in (self.rabbit, self.postgres):
            if server.running:
                say(f"停止 {server.title}……")
                server.stop()
        say("平台已停止；数据与密钥都保留着。")

    def rss_mb(self) -> dict[str, int]:
        """Resident memory of our own processes in MB, by name."""
        found = {name: self.process(name) for name in self.processes}
        return {name: p.memory_info().rss // 1_000_000 for name, p in found.items() if p is not None}
