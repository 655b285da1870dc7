"""A private RabbitMQ (3.10 to 4.x) from the machine's own package."""

from __future__ import annotations

import base64
import json
import pwd
import re
import secrets
import shutil
import socket
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from banyan.testkit import detached
from banyan.testkit.private_server import PrivateServer

NODE = "banyan@localhost"
USER = "banyan"
API_LIMIT_S = 30
QUIET_VM = "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {admin_port}
default_user = {user}
default_pass = {password}
loopback_users = none
log.console = false
log.file.level = info
disk_free_limit.absolute = 200MB
vm_memory_high_watermark.absolute = 1GB
"""


class PrivateRabbit(PrivateServer):
    """RabbitMQ on free loopback ports, with its own epmd, cookie and management API; no system node is touched."""

    title = "RabbitMQ"
    users = ("rabbitmq",)

    @property
    def port(self) -> int:
        """The AMQP port on 127.0.0.1."""
        return int(self.state["port"])

    @property
    def url(self) -> str:
        """The administrator's AMQP address of the vhost `/`."""
        return self.url_of("")

    def url_of(self, vhost: str) -> str:
        """The administrator's AMQP address of one vhost."""
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{vhost}"

    @property
    def admin_url(self) -> str:
        """The management API's address with the administrator's name and password."""
        return f"http://{USER}:{self.password}@127.0.0.1:{self.state['admin_port']}"

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the management API, as `rabbit.api("PUT", "/api/vhosts/x")`; answers the decoded JSON or None."""
        return management_call(self.admin_url, method, path, body)

    def _prepare(self, home: Path, user: pwd.struct_passwd | None) -> None:
        for name in ("port", "admin_port", "dist_port", "epmd_port"):
            self.state[name] = detached.kept_port(self.state.get(name))
        for name in ("mnesia", "log", "config", "schema"):
            (home / name).mkdir(exist_ok=True)
            detached.give(home / name, user, 0o700)
        values = {"port": self.port, "admin_port": self.state["admin_port"], "user": USER, "password": self.password}
        detached.write_private(home / "rabbitmq.conf", CONFIG.format(**values), user)
        detached.write_private(home / "enabled_plugins", "[rabbitmq_management].\n", user)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            detached.write_private(cookie, secrets.token_hex(16), user, 0o400)

    def _launch(self, home: Path, user: pwd.struct_passwd | None) -> dict[str, psutil.Process]:
        env = self._environment(home)
        epmd = [*detached.as_user(user), str(_erlang_program("epmd")), "-port", env["ERL_EPMD_PORT"]]
        server = [*detached.as_user(user), str(scripts() / "rabbitmq-server")]
        return {
            "epmd": detached.launch(epmd, cwd=home, env=env, log=self.log, pid_file=self.folder / "epmd.pid"),
            "main": detached.launch(server, cwd=home, env=env, log=self.log, pid_file=self.folder / "main.pid"),
        }

    def _environment(self, home: Path) -> dict[str, str]:
        own = {
            "NODENAME": NODE, "DIST_PORT": str(self.state["dist_port"]), "MNESIA_BASE": f"{home}/mnesia",
            "LOG_BASE": f"{home}/log", "PID_FILE": f"{home}/rabbit.pid", "CONFIG_FILE": f"{home}/rabbitmq.conf",
            "ADVANCED_CONFIG_FILE": f"{home}/advanced.config", "ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "GENERATED_CONFIG_DIR": f"{home}/config", "SCHEMA_DIR": f"{home}/schema", "CONF_ENV_FILE": "/dev/null",
            "SERVER_ADDITIONAL_ERL_ARGS": QUIET_VM,
        }  # fmt: skip
        erlang = {
            "ERL_EPMD_PORT": str(self.state["epmd_port"]), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_MAX_PORTS": "4096",
            "HOME": str(home), "LANG": "C.UTF-8", "PATH": f"/usr/bin:/bin:{_erlang_program('epmd').parent}",
        }  # fmt: skip
        return {f"RABBITMQ_{name}": value for name, value in own.items()} | erlang

    def _ready(self) -> bool:
        return _speaks_amqp(self.port) and not detached.port_is_free(int(self.state["admin_port"]))

    def _ask_to_stop(self, main: psutil.Process) -> None:
        machine = next((p for p in detached.family(main) if p.name().startswith("beam")), main)
        machine.terminate()  # RabbitMQ ends in good order on SIGTERM to the Erlang machine, not to its shell wrapper


def management_call(admin_url: str, method: str, path: str, body: Any = None) -> Any:
    """One call of a RabbitMQ management API; name and password stand in its address."""
    place = re.fullmatch(r"(https?://)([^:@/]+):([^@/]+)@(.+?)/?", admin_url)
    if place is None:
        raise ValueError("the management address must read http://user:password@host:port")
    scheme, user, password, host = place.groups()
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"{scheme}{host}{path}", method=method, data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=API_LIMIT_S) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def scripts() -> Path:
    """The folder of rabbitmq-server and rabbitmqctl themselves; the wrappers on PATH insist on a system user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    on_path = shutil.which("rabbitmq-server")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise detached.ServerFailed("没有找到 RabbitMQ；请安装软件包 rabbitmq-server 后再试。")


def _erlang_program(name: str) -> Path:
    found = sorted(Path("/usr/lib/erlang").glob(f"erts-*/bin/{name}"))
    on_path = shutil.which(name)
    if found:
        return found[-1]
    if on_path:
        return Path(on_path)
    raise detached.ServerFailed(f"没有找到 Erlang 的 {name}；请安装软件包 erlang-base 后再试。")


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as wire:
            wire.sendall(b"AMQP\x00\x00\x09\x01")
            return wire.recv(1) == b"\x01"  # a method frame: connection.start
    except OSError:
        return False
