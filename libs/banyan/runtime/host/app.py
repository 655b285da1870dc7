"""One service in one process: its database, keys, reference copy and bus, put together from the settings."""

from __future__ import annotations

import contextlib
import importlib
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from banyan.kernel.context import Caller
from banyan.runtime import auth
from banyan.runtime.commands.bus import Bus
from banyan.runtime.commands.guard import SealGuard
from banyan.runtime.host import clock
from banyan.runtime.host.db import Pool, open_pool
from banyan.runtime.host.reference import LOOK_S, Reference
from banyan.runtime.host.service import Service
from banyan.runtime.host.settings import Settings
from banyan.vault.fields import Vault
from banyan.vault.keys import KeyFolder

SYSTEM_TOKEN_S = 300


def package_of(name: str) -> str:
    """Where a service's code is: services.<name>, unless the name is a package's already."""
    return name if "." in name else f"services.{name}"


def load_service(name: str) -> Service:
    """The service of a name, built by its own package."""
    service: Service = importlib.import_module(f"{package_of(name)}.service").SERVICE
    return service


@dataclass
class App:
    """What serve and work share for one service; `as_owner` is for an operator's command that makes tables."""

    service: Service
    settings: Settings
    keys: KeyFolder
    as_owner: bool = False

    @cached_property
    def pool(self) -> Pool:
        """The pool of the service's own database."""
        url = (self.settings.owner_url if self.as_owner else self.settings.database_url)(self.service.name)
        return open_pool(url, size=self.settings.pool_size, name=f"banyan {self.service.name}")

    @cached_property
    def reference(self) -> Reference:
        """The copy of reference data."""
        return Reference(self.pool, seeds=self.service.figures)

    @cached_property
    def bus(self) -> Bus:
        """The service's bus."""
        vault = Vault(self.keys)
        authenticator = auth.Authenticator(self._public_keys, self.reference.revoked)
        return Bus(self.service, self.pool, vault, self.reference, authenticator.authenticate, self.guard)

    @cached_property
    def guard(self) -> SealGuard:
        """Whether the audit trail is sealed in time."""
        return SealGuard(self.service.name, self.pool)

    @cached_property
    def _own_keys(self) -> OwnKeys:
        return OwnKeys(self.keys)

    def _public_keys(self) -> dict[str, Any]:
        retired = self.reference.retired_keys()
        own = {kid: jwk for kid, jwk in self._own_keys.jwks().items() if kid not in retired}
        return {**own, **self.reference.token_keys()}


class OwnKeys:
    """The folder's public keys, looked at again every few seconds: a rotation needs no restart to be believed."""

    def __init__(self, keys: KeyFolder) -> None:
        self._keys, self._jwks, self._looked_at = keys, public_jwks(keys), time.monotonic()

    def jwks(self) -> dict[str, dict[str, str]]:
        """kid → JWK, at most two seconds old; while the folder cannot be read, those that were read before."""
        if time.monotonic() - self._looked_at > LOOK_S:
            self._looked_at = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                self._jwks = public_jwks(self._keys)
        return self._jwks


def public_jwks(keys: KeyFolder) -> dict[str, dict[str, str]]:
    """kid → JWK of every signing key of the folder, old ones too."""
    return {kid: auth.jwk_of_raw(kid, raw) for kid, raw in keys.public_keys().items()}


def open_keys(settings: Settings) -> KeyFolder:
    """The instance's keys; a missing one stops the start and is never made anew."""
    return KeyFolder(settings.key_folder())


def system_token(keys: KeyFolder, caller: Caller) -> str:
    """A short token for calls of our own processes, signed with the instance's key."""
    kid, key = keys.signing_key()
    claims = auth.claims_of(caller, jti=f"{caller.account}.0", iat=int(clock.epoch_s()), life_s=SYSTEM_TOKEN_S)
    return auth.sign_token(kid, key, claims)
