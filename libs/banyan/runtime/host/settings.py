"""Settings by environment and secret files, typed, on one page; a wrong one stops the start with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from banyan.kernel.refusal import Refused
from banyan.runtime.host import roles
from banyan.vault.keys import default_folder


class Settings(BaseSettings):
    """Every setting of every process; BANYAN_POSTGRES_URL sets postgres_url, and so on."""

    model_config = SettingsConfigDict(env_prefix="BANYAN_", extra="ignore")

    mode: Literal["production", "demo", "test"] = "production"
    postgres_url: str = ""  # of the server; its user migrates, backs up and restores, the processes are roles of their own
    amqp_url: str = ""
    database_prefix: str = "banyan_"  # a service's database is prefix + name
    keys: Path | None = None  # the folder of keys; default: outside the clone, in the user's data folder
    roles: Path | None = None  # the folder of the roles' passwords, <service>.password; default: beside the keys
    erasures: Path | None = None  # the ledger of erasures, outside of the databases; default: beside the keys
    run: Path = Path(".run")  # where the file adapter of notices, uploads and logs live
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    http_account_rate: int = 50  # requests a second that one account may make in the long run
    http_account_burst: int = 500  # and how many at once
    http_address_rate: int = 1000  # a whole office may stand behind one address
    http_address_burst: int = 5000
    metrics_host: str = "127.0.0.1"  # in a cluster the address that Prometheus reaches, never a public one
    metrics_port: int = 0  # of each process by itself; 0: a free one, said in the log
    notice_channels: dict[str, Literal["file"]] = {}  # channel → adapter, in order; in demo and test a file stands for each
    pool_size: int = 20
    workers: int = 20  # commands in progress at once, a service and process
    trace_share: int = 5  # of 100 calls, how many are traced
    parked_s: float = 60.0  # after how many seconds a parked event is tried again
    otlp_url: str = ""  # of an OpenTelemetry collector; empty: traces stay in the logs

    def key_folder(self) -> Path:
        """Where the instance's keys lie."""
        return self.keys or default_folder(self.database_prefix.rstrip("_"))

    def ledger_folder(self) -> Path:
        """Where the ledger of erasures lies."""
        return self.erasures or self.key_folder() / "erasures"

    def database(self, service: str) -> str:
        """The name of a service's database, and of the role that its processes are."""
        return f"{self.database_prefix}{service}"

    def role_password(self, service: str, *, make: bool = False) -> str:
        """The password of a service's role; refuses `role_password_missing` unless it may be made."""
        folder = self.roles or self.key_folder() / "roles"
        return roles.password(folder / f"{service}.password", make=make)

    def database_url(self, service: str) -> str:
        """The URL of a service's own database as the service's own role."""
        name, parts = self.database(service), urlsplit(self.postgres_url)
        place = parts.netloc.rsplit("@", 1)[-1]
        secret = quote(self.role_password(service), safe="")
        return urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:{secret}@{place}", path=f"/{name}"))

    def owner_url(self, service: str) -> str:
        """The URL of a service's own database as its owner: for migrating, restoring, replaying, moving the clock."""
        name, parts = self.database(service), urlsplit(self.postgres_url)
        as_owner = f"options=-c%20role%3D{roles.owner_of(name)}"
        query = f"{parts.query}&{as_owner}" if parts.query else as_owner
        return urlunsplit(parts._replace(path=f"/{name}", query=query))


def load() -> Settings:
    """Reads the environment; refuses `bad_setting` naming each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
        raise Refused("bad_setting", settings=wrong) from None
