"""Gives an instance its reference data, its keys' public halves and its operators; done again it changes nothing."""

from __future__ import annotations

import base64
import datetime as dt
import importlib
import io
import secrets
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import msgspec
import segno

from banyan.kernel.message import Event, contracts
from banyan.runtime.host.app import App, load_service, open_keys, package_of, public_jwks
from banyan.runtime.host.settings import Settings

Say = Callable[[str], object]
OPERATOR_DUTIES = ("system_admin",)
TOTP_BYTES = 20  # RFC 4226: as long as the hash


class Seeder:
    """Runs identity's seed commands in this process, as system:identity; every other service learns them by event."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._keys = settings, open_keys(settings)
        self._app = App(load_service("identity"), settings, self._keys)
        self.seed: Any = importlib.import_module("services.identity.seed")

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
        keys = self.seed.signing_keys(public_jwks(self._keys), dt.datetime.now(dt.UTC))
        for keyed in (*keys, *self.seed.reference({n: text for n, text in policies.items() if text})):
            self.run(keyed)
            count += 1
        return count

    def account(self, username: str, duties: Sequence[str], division: str, password: str = "") -> tuple[str, str]:
        """An account of the local issuer with duties and a password; answers (account id, password)."""
        account = self.run(self.seed.operator(username))["id"]
        for keyed in self.seed.entrust(account, duties, division):
            self.run(keyed)
        chosen = password or secrets.token_urlsafe(12)
        self.run(self.seed.password(account, chosen, secrets.token_urlsafe(32)))
        return account, chosen

    def operator(self, username: str) -> tuple[str, str]:
        """The first operator: an account that is system_admin over the province, by password and one-time codes.

        Answers (password, otpauth address); done again it gives both anew, which is also the way back from a lost phone."""
        account, password = self.account(username, OPERATOR_DUTIES, self.seed.PROVINCE)
        chosen = base64.b32encode(secrets.token_bytes(TOTP_BYTES)).decode()
        keyed, address = self.seed.second_factor(account, username, chosen, secrets.token_urlsafe(16))
        self.run(keyed)
        return password, address

    def partner(self, username: str, services: Sequence[str]) -> tuple[str, str]:
        """A partner's account, agreed to read every stream of the services whole; answers (account id, password)."""
        account, password = self.account(username, ("partner",), self.seed.PROVINCE)
        words = [importlib.import_module(f"banyan.contracts.{name}") for name in services]
        streams = {event.stream for module in words for event in contracts(module, Event)}
        self.run(self.seed.partner(account, username, streams))
        return account, password


def qr(text: str) -> str:
    """A QR code of half blocks for a terminal."""
    drawn = io.StringIO()
    segno.make(text, error="l").terminal(drawn, compact=True)
    return drawn.getvalue()


def _policy(service: str) -> str:
    file = resources.files(package_of(service)).joinpath("policy.toml")
    return file.read_text("utf-8") if file.is_file() else ""
