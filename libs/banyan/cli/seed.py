"""Gives an instance its reference data, its keys' public halves and its operators; done again it changes nothing."""

from __future__ import annotations

import datetime as dt
import importlib
import secrets
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import msgspec

from banyan.kernel.message import Event, contracts
from banyan.runtime.host.app import App, load_service, open_keys, package_of, public_jwks
from banyan.runtime.host.settings import Settings

Say = Callable[[str], object]
OPERATOR_DUTIES = ("system_admin",)


class Seeder:
    """Runs identity's seed commands in this process, as system:identity; every other service learns them by event."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._keys = settings, open_keys(settings)
        self._app = App(load_service("identity"), settings, self._keys)
        self._seed: Any = importlib.import_module("services.identity.seed")

    def close(self) -> None:
        """Gives the connections back."""
        self._app.pool.close()

    def run(self, keyed: tuple[str, Any]) -> dict[str, Any]:
        """One command under its own key."""
        key, command = keyed
        found: dict[str, Any] = msgspec.json.decode(self._app.bus.system(command, key))
        return found

    def reference(self, services: Sequence[str]) -> int:
        """Keys, figures, working days, divisions; answers how many commands."""
        policies = {name: _policy(name) for name in services}
        count = 0
        keys = self._seed.signing_keys(public_jwks(self._keys), dt.datetime.now(dt.UTC))
        for keyed in (*keys, *self._seed.reference({n: text for n, text in policies.items() if text})):
            self.run(keyed)
            count += 1
        return count

    def account(self, username: str, duties: Sequence[str], division: str, password: str = "") -> tuple[str, str]:
        """An account of the local issuer with duties and a password; answers (account id, password)."""
        account = self.run(self._seed.operator(username))["id"]
        for keyed in self._seed.entrust(account, duties, division):
            self.run(keyed)
        chosen = password or secrets.token_urlsafe(12)
        self.run(self._seed.password(account, chosen, secrets.token_urlsafe(32)))
        return account, chosen

    def partner(self, username: str, services: Sequence[str]) -> tuple[str, str]:
        """A partner's account, agreed to read every stream of the services whole; answers (account id, password)."""
        account, password = self.account(username, ("partner",), self._seed.PROVINCE)
        words = [importlib.import_module(f"banyan.contracts.{name}") for name in services]
        streams = {event.stream for module in words for event in contracts(module, Event)}
        self.run(self._seed.partner(account, username, streams))
        return account, password


def _policy(service: str) -> str:
    file = resources.files(package_of(service)).joinpath("policy.toml")
    return file.read_text("utf-8") if file.is_file() else ""
