"""`banyan partner`: a partner's vhost and user at the broker. What the partner may read is agreed elsewhere (identity)."""

from __future__ import annotations

import os
import re
import secrets
from typing import Any
from urllib.parse import quote, urlsplit

from banyan.cli.laptop import Laptop
from banyan.kernel.refusal import Refused
from banyan.runtime.events.outlet import queue_of, vhost_of
from banyan.testkit.rabbit import management_call

NAME = re.compile(r"[a-z][a-z0-9-]{1,31}")  # as in identity's agreement
PASSWORD_BYTES = 24


def admin_url(laptop: Laptop) -> str:
    """The management API: BANYAN_AMQP_ADMIN_URL, or the instance's own broker; refuses where there is neither."""
    named = os.environ.get("BANYAN_AMQP_ADMIN_URL")
    if named:
        return named
    if not laptop.rabbit.running:
        raise Refused("broker_admin_unreachable")
    return laptop.rabbit.admin_url


def add(amqp_url: str, admin: str, name: str) -> str:
    """Makes the vhost, our own rights in it, and a user that may only read its queue; answers the partner's address.

    Done again it gives the user a new password and keeps what waits in the queue."""
    vhost, parts = quote(vhost_of(_name(name)), safe=""), urlsplit(amqp_url)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    queue = re.escape(queue_of(name)).replace(r"\-", "-")
    _call(admin, "PUT", f"/api/vhosts/{vhost}")
    ours = {"configure": f"^{queue}$", "write": f"^({queue}|amq\\.default)$", "read": f"^{queue}$"}
    _call(admin, "PUT", f"/api/permissions/{vhost}/{parts.username}", ours)
    _call(admin, "PUT", f"/api/users/{vhost_of(name)}", {"password": password, "tags": ""})
    theirs = {"configure": "^$", "write": "^$", "read": f"^{queue}$"}
    _call(admin, "PUT", f"/api/permissions/{vhost}/{vhost_of(name)}", theirs)
    return f"amqp://{vhost_of(name)}:{password}@{parts.hostname}:{parts.port or 5672}/{vhost}"


def remove(admin: str, name: str) -> None:
    """Deletes the partner's user and vhost, with what waits in its queue."""
    _call(admin, "DELETE", f"/api/users/{vhost_of(_name(name))}")
    _call(admin, "DELETE", f"/api/vhosts/{quote(vhost_of(name), safe='')}")


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Refused("bad_input", field="name", detail="a-z, 0-9 and -, 2 to 32 characters")
    return name


def _call(admin: str, method: str, path: str, body: Any = None) -> None:
    try:
        management_call(admin, method, path, body)
    except OSError as error:
        raise Refused("broker_admin_unreachable", path=path, reason=str(error)) from error
