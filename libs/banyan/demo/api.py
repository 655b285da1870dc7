"""The demo as a front end: it speaks HTTP with the gateway, as anybody would, and keeps each token fresh."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from banyan.kernel.context import Caller, Grant
from banyan.runtime import auth
from banyan.runtime.host import clock
from banyan.vault.keys import KeyFolder

TOKEN_S, TRIES, PAUSE_S = 300, 60, 0.5
PASSING = {429, 502, 503, 504}


class Problem(Exception):
    """What the gateway refused: the problem document."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(f"{document.get('code')} {document.get('title')} {document.get('facts')}")
        self.document = document

    @property
    def code(self) -> str:
        """The refusal's code."""
        return str(self.document.get("code"))


@dataclass
class Actor:
    """Somebody who acts. With a password it logs in over HTTP; else the demo's local issuer signs for it."""

    account: str
    title: str
    grants: tuple[Grant, ...] = ()
    person: str | None = None
    username: str = ""
    password: str = ""
    token: str = ""
    until: float = field(default=0.0, repr=False)


class Api:
    """Commands and questions over HTTP; a passing failure is tried again under the same key."""

    def __init__(self, url: str, keys: KeyFolder) -> None:
        self.url, self._keys = url, keys
        self._http = httpx.Client(base_url=url, timeout=40, limits=httpx.Limits(max_connections=32))
        self.calls = self.repeated = 0

    def command(self, actor: Actor, service: str, method: str, *, key: str = "", **body: Any) -> dict[str, Any]:
        """One command; the answer's JSON. Raises Problem."""
        return self._post(actor, f"/v1/{service}/{method}", body, key or str(uuid.uuid4()))

    def ask(self, actor: Actor, service: str, method: str, **body: Any) -> dict[str, Any]:
        """One question."""
        return self._post(actor, f"/v1/{service}/{method}", body, "")

    def get(self, actor: Actor, path: str, **query: Any) -> httpx.Response:
        """A GET, as a subscriber does it."""
        headers = {"Authorization": f"Bearer {self._token(actor)}"}
        answer = self._http.get(path, params=query, headers=headers)
        if answer.status_code >= 400:
            raise Problem(answer.json())
        return answer

    def upload(self, actor: Actor, name: str, content: bytes, division: str) -> dict[str, Any]:
        """A file as multipart/form-data."""
        headers = {"Authorization": f"Bearer {self._token(actor)}", "Idempotency-Key": str(uuid.uuid4())}
        files = {"file": (name, content, "text/csv")}
        answer = self._http.post("/v1/uploads", files=files, data={"division": division}, headers=headers, timeout=120)
        if answer.status_code >= 400:
            raise Problem(answer.json())
        found: dict[str, Any] = answer.json()
        return found

    def all_of(self, work: Iterable[Callable[[], Any]], threads: int = 8) -> Iterator[Any]:
        """Runs many calls at once; yields their answers as they were ordered."""
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(lambda call: call(), work)

    def _post(self, actor: Actor, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        for attempt in range(TRIES):
            headers = {"Authorization": f"Bearer {self._token(actor)}", "Request-Timeout-Ms": "20000"}
            if key:
                headers["Idempotency-Key"] = key
            answer = self._http.post(path, json=body, headers=headers)
            self.calls += 1
            if answer.status_code < 400:
                found: dict[str, Any] = answer.json()
                return found
            document = answer.json()
            if answer.status_code not in PASSING or attempt == TRIES - 1:
                raise Problem(document)
            self.repeated += 1
            time.sleep(PAUSE_S)
        raise AssertionError("unreachable")

    def _token(self, actor: Actor) -> str:
        if time.monotonic() > actor.until:
            actor.token = self._log_in(actor) if actor.password else self._mint(actor)
            actor.until = time.monotonic() + TOKEN_S
        return actor.token

    def _log_in(self, actor: Actor) -> str:
        answer = self._http.post("/v1/token", json={"username": actor.username, "password": actor.password})
        if answer.status_code >= 400:
            raise Problem(answer.json())
        return str(answer.json()["access_token"])

    def _mint(self, actor: Actor) -> str:
        kid, key = self._keys.signing_key()
        caller = Caller(account=actor.account, person=actor.person, grants=actor.grants, acr="2")
        claims = auth.claims_of(caller, jti=f"{actor.account}.0", iat=int(clock.epoch_s()))
        return auth.sign_token(kid, key, claims)
