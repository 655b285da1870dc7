"""The green (eventlet) side of RPC: the server of `banyan serve` and its client. `patch()` goes before imports."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from banyan.kernel.costly import run_costly_by

if TYPE_CHECKING:
    from banyan.runtime.rpc.answer import Handler
    from banyan.runtime.rpc.green_link import GreenClient

log = logging.getLogger(__name__)

WAIT_FUNC = "PSYCOPG_WAIT_FUNC"
GREEN_WAIT = "wait_selector"
DRAIN_S = 30.0

__all__ = ["GreenClient", "green_psycopg", "patch", "serve"]


def patch() -> None:
    """Makes this process green; the first thing in `banyan serve`: psycopg picks its wait function when imported."""
    if "psycopg" in sys.modules:
        raise RuntimeError("psycopg 已先被导入：绿色进程必须最先调用 patch()")
    os.environ[WAIT_FUNC] = GREEN_WAIT
    import eventlet
    from eventlet import tpool

    eventlet.monkey_patch()
    tpool.set_num_threads(os.cpu_count() or 1)  # costly work keeps a core each; more at once only wait for each other
    run_costly_by(tpool.execute)


def green_psycopg() -> None:
    """Makes psycopg wait on this process's hub; stops the start where its C wait function, which holds every greenlet up,
    may have been taken already."""
    from psycopg import waiting

    from banyan.runtime.rpc import green_wait

    if waiting.wait not in (waiting.wait_selector, green_wait.wait):
        raise RuntimeError(f"psycopg 的等待函数不是 {GREEN_WAIT}：请在导入 psycopg 之前调用 patch()")
    green_wait.install()


def serve(
    services: Mapping[str, Handler],
    amqp_url: str,
    *,
    max_workers: int = 20,
    on_ready: Callable[[], None] | None = None,
    base: type = object,
    drain_s: float = DRAIN_S,
) -> None:
    """Answers calls until SIGTERM or SIGINT, then drains: what was taken is answered, the rest goes back to the broker.

    Each service is a nameko container of its own with `max_workers` workers; `base` may declare nameko dependencies
    that its workers get. `on_ready` is called once, when all of them consume.
    """
    from banyan.runtime.rpc.green_server import Server

    Server(services, amqp_url, max_workers=max_workers, base=base, drain_s=drain_s).run(on_ready)


def __getattr__(name: str) -> object:
    if name == "GreenClient":
        from banyan.runtime.rpc.green_link import GreenClient

        return GreenClient
    raise AttributeError(name)
