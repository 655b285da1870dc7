"""Whether a vhost is ours: an exchange in it that nothing is bound to says by its name who made it, and for which mode."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import amqp
import structlog
from amqp.method_framing import frame_writer

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.tuning import connect

log = structlog.get_logger()
HEARTBEAT_S = 20


def mark_exchange(mode: str) -> str:
    """The name of the exchange that marks a vhost of this mode."""
    return f"banyan.made_by.{mode}"


def name_of(amqp_url: str) -> str:
    """The vhost that an address names; without one the broker's first."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"


def is_ours(amqp_url: str, mode: str) -> bool:
    """Whether the vhost bears this mode's mark; nothing is declared or written. Raises OSError where no broker answers."""
    connection = connect(amqp_url, "banyan vhost", HEARTBEAT_S, frame_writer)
    try:
        connection.channel().exchange_declare(mark_exchange(mode), "fanout", passive=True)
    except amqp.exceptions.NotFound:
        return False
    finally:
        connection.close()
    return True


def require_our_vhost(amqp_url: str, mode: str) -> None:
    """Refuses `not_our_vhost` before a process declares or sends anything there.

    A broker that does not answer keeps nobody from starting: what needs no broker goes on without it."""
    try:
        found = is_ours(amqp_url, mode)
    except OSError as error:
        log.warning("消息服务器暂不可达，未能核对虚拟主机的记号", error=repr(error))
        return
    if not found:
        raise Refused("not_our_vhost", vhost=name_of(amqp_url), mode=mode)
