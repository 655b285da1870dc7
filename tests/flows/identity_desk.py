"""identity in this process on a database of its own, and a desk at which everybody is served."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import msgspec

from banyan.contracts import identity as words
from banyan.kernel.context import Caller
from banyan.kernel.message import Query
from banyan.runtime.auth import Authenticator, Revocations
from banyan.runtime.host.app import App, public_jwks
from banyan.wire.rpc import Call

PASSWORD = "correct horse 电池"
SEED_32 = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CITY = "350200000000"


def secret() -> str:
    return uuid.uuid4().hex + uuid.uuid4().hex


class Identity:
    """The service in this process, on a database of its own."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.revoked = Revocations()
        self.guard = Authenticator(lambda: public_jwks(app.keys), self.revoked)

    def order(self, command: Any, key: str | None = None) -> dict[str, Any]:
        """A command as the platform itself."""
        return dict(json.loads(self.app.bus.system(command, key or str(uuid.uuid4()))))

    def anyone(self, message: Any, token: str | None = None) -> dict[str, Any]:
        """A message as it comes from outside."""
        key = None if isinstance(message, Query) else str(uuid.uuid4())
        body = json.dumps(_plain(message)).encode()
        deadline_ms = int(time.time() * 1000) + 30_000
        call = Call(
            service="identity", method=message.method(), body=body, token=token, key=key, deadline_ms=deadline_ms
        )
        return dict(json.loads(self.app.bus.execute(call)))

    def account(self, *duties: str, password: bool = True, person_id: str | None = None) -> tuple[str, str]:
        """(id, user name) of a new account with duties in Xiamen."""
        name = f"user-{uuid.uuid4().hex[:12]}"
        opened = words.OpenAccount(division=CITY, issuer="local", subject=name, person_id=person_id)
        account_id = self.order(opened)["id"]
        if password:
            self.order(words.SetPassword(account_id=account_id, password=PASSWORD, nonce=secret()))
        for duty in duties:
            self.order(words.GrantDuty(account_id=account_id, duty=duty, division=CITY, reason="任命"))
        return account_id, name

    def log_in(self, name: str, password: str = PASSWORD, code: str | None = None) -> tuple[dict[str, Any], str]:
        """(the answer, the session's secret)."""
        mine = secret()
        return self.anyone(words.LogIn(username=name, password=password, code=code, secret=mine)), mine

    def token(self, session: dict[str, Any], mine: str) -> dict[str, Any]:
        """The answer to IssueToken."""
        return self.anyone(words.IssueToken(session_id=session["id"], secret=mine))

    def believes(self, token: str) -> Caller:
        """The caller as another service sees it."""
        return self.guard.authenticate(token)

    def events(self, kind: type[Any]) -> list[Any]:
        """What the outbox holds of one kind of event."""
        with self.app.pool.connection() as connection:
            sql = "select data from outbox where type = %s order by id"
            rows = connection.execute(sql, (kind.type_name(),)).fetchall()
        return [msgspec.json.decode(row[0], type=kind) for row in rows]


def _plain(message: Any) -> Any:
    return msgspec.to_builtins(message)
