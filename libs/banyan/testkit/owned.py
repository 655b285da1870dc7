"""Databases and vhosts that we made ourselves, told by the prefix of their names; nothing else is ever dropped."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from banyan.kernel.refusal import Refused
from banyan.runtime.host.roles import owner_of
from banyan.runtime.host.vhost import mark_exchange, name_of
from banyan.testkit.rabbit import management_call

TEST_PREFIX = "banyan_test_"
OURS = re.compile(r"banyan_(test|demo)_[a-z0-9_]{1,40}\Z")


def fresh_name(prefix: str = TEST_PREFIX) -> str:
    """A name nobody uses, that bears our mark."""
    return prefix + secrets.token_hex(6)


def ours(name: str) -> str:
    """The name, if it bears our mark; anything else belongs to somebody and is not touched."""
    if not OURS.match(name):
        raise ValueError(f"{name} was not made by a test or demo and is left alone")
    return name


def at_path(url: str, path: str) -> str:
    """The same address with another database or vhost as its path."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def create_database(url: str, name: str) -> str:
    """Makes a database beside the one that `url` names and answers its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(ours(name))))
    return at_path(url, name)


def drop_database(url: str, name: str) -> None:
    """Drops a database of ours, its sessions and its roles with it; a missing one is fine."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(ours(name))))
        for role in (name, owner_of(name)):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def create_vhost(amqp_url: str, admin_url: str, name: str) -> str:
    """Makes a vhost that the address's user may use, with the mark of the mode in its name; answers its AMQP address."""
    mode = ours(name).split("_")[1]
    made = at_path(amqp_url, name)
    claim_vhost(made, admin_url, mode)
    return made


def claim_vhost(amqp_url: str, admin_url: str, mode: str) -> None:
    """Makes the vhost that the address names and marks it as ours; marks one that is there, if it holds nothing yet.

    The description has the mark from the first, so that a crash before the exchange loses no vhost: done again it is
    made whole. Refuses `not_our_vhost`."""
    name = name_of(amqp_url)
    at, mark = quote(name, safe=""), mark_exchange(mode)
    known = {vhost["name"]: vhost.get("description", "") for vhost in management_call(admin_url, "GET", "/api/vhosts")}
    if name not in known:
        management_call(admin_url, "PUT", f"/api/vhosts/{at}", {"description": mark})
    elif known[name] != mark:
        exchanges = {one["name"] for one in management_call(admin_url, "GET", f"/api/exchanges/{at}")}
        theirs = [one for one in exchanges if one and not one.startswith("amq.")]
        if mark not in exchanges and (theirs or management_call(admin_url, "GET", f"/api/queues/{at}")):
            raise Refused("not_our_vhost", vhost=name, mode=mode)
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    management_call(admin_url, "PUT", f"/api/permissions/{at}/{urlsplit(amqp_url).username}", everything)
    management_call(admin_url, "PUT", f"/api/exchanges/{at}/{mark}", {"type": "fanout", "durable": True})


def drop_vhost(admin_url: str, name: str) -> None:
    """Deletes a vhost of ours with its queues and connections."""
    management_call(admin_url, "DELETE", f"/api/vhosts/{ours(name)}")


@contextmanager
def lent(create: Callable[[str], str], drop: Callable[[str], Any]) -> Iterator[str]:
    """Lends a thing of a fresh name for the length of a test and drops it, whatever happened."""
    name = fresh_name()
    address = create(name)
    try:
        yield address
    finally:
        drop(name)
