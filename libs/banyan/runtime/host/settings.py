"""Settings by environment and secret files, typed, on one page; a wrong one stops the start with its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from banyan.kernel.refusal import Refused
from banyan.vault.keys import default_folder


class Settings(BaseSettings):
    """Every setting of every process; BANYAN_POSTGRES_URL sets postgres_url, and so on."""

    model_config = SettingsConfigDict(env_prefix="BANYAN_", extra="ignore")

    mode: Literal["production", "demo", "test"] = "production"
    postgres_url: str = ""  # of the server, with a database that may create others only while setting up
    amqp_url: str = ""
    database_prefix: str = "banyan_"  # a service's database is prefix + name
    keys: Path | None = None  # the folder of keys; default: outside the clone, in the user's data folder
    erasures: Path | None = None  # the ledger of erasures, outside of the databases; default: beside the keys
    run: Path = Path(".run")  # where the file adapter of notices, uploads and logs live
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    metrics_port: int = 0  # 0: a free one, said in the log
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

    def database_url(self, service: str) -> str:
        """The URL of a service's own database."""
        return f"{self.postgres_url.rstrip('/').rsplit('/', 1)[0]}/{self.database_prefix}{service}"


def load() -> Settings:
    """Reads the environment; refuses `bad_setting` naming each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = {".".join(map(str, e["loc"])): e["msg"] for e in error.errors()}
        raise Refused("bad_setting", settings=wrong) from None
