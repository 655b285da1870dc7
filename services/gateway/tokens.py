"""POST /v1/token: log-in, client credentials and refresh in one step; it only strings identity's own calls together."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from banyan.contracts.identity_shapes import Token, Withheld
from banyan.kernel.message import Done
from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from banyan.runtime.rpc.calls import now_ms
from banyan.wire.bodies import decoded
from services.gateway import reading
from services.gateway.backend import Backend, Client, backend_of, json_answer
from services.gateway.edge import Handler

SECRET_BYTES = 32


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of: username with password (and code, a second factor); client_id with client_secret;
    refresh_token."""

    username: str | None = None
    password: str | None = None
    code: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    refresh_token: str | None = None


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`refresh_token` is used once: each refresh answers the next one; `expires_in` are seconds."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    account_id: str
    withheld: tuple[Withheld, ...] = ()


FORMS = {
    frozenset({"username", "password"}): "log_in",
    frozenset({"username", "password", "code"}): "log_in",
    frozenset({"client_id", "client_secret"}): "client_credentials",
    frozenset({"refresh_token"}): "refresh",
}


def token_handler(client: Client) -> Handler:
    """Opens or goes on with a session under a secret made here, and answers its token."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        asked: TokenRequest = decoded(await reading.json_object(request), TokenRequest)
        given = {name: value for name in asked.__struct_fields__ if (value := getattr(asked, name)) is not None}
        method = FORMS.get(frozenset(given))
        if method is None:
            raise Refused("bad_input", field="$", expected=[sorted(form) for form in FORMS])
        backend = backend_of(client, request, span)
        session_id, secret = await _session(backend, method, given)
        return json_answer(msgspec.json.encode(await _issue(backend, session_id, secret)))

    return handle


async def _session(backend: Backend, method: str, given: dict[str, str]) -> tuple[str, str]:
    """(id, secret) of the session; refuses `unauthenticated` with no word about what was wrong."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    if method == "refresh":
        session_id, _, old = given["refresh_token"].partition(".")
        body = {"session_id": session_id, "secret": old, "next_secret": secret}
    else:
        body = {**given, "secret": secret}
    done = msgspec.json.decode(await backend.call("identity", method, body, key=str(uuid.uuid4())), type=Done)
    if done.state != "open":
        raise Refused("unauthenticated", reason="refused")
    return done.id, secret


async def _issue(backend: Backend, session_id: str, secret: str) -> TokenAnswer:
    answer = await backend.call("identity", "issue_token", {"session_id": session_id, "secret": secret})
    token = msgspec.json.decode(answer, type=Token)
    now = dt.datetime.fromtimestamp(now_ms() / 1000, dt.UTC)
    return TokenAnswer(
        access_token=token.token,
        token_type="Bearer",
        expires_in=max(0, int((token.expires_at - now).total_seconds())),
        refresh_token=f"{session_id}.{secret}",
        account_id=token.account_id,
        withheld=token.withheld,
    )
