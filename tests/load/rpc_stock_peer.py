"""Stock nameko, 2.14.1 or 3.0.0rc11, as a peer of the RPC benchmark; it imports nothing of Banyan.

`python rpc_stock_peer.py server URL WORKERS` serves `stock_echo`. `caller URL STYLE` obeys lines on stdin, `p50 CALLS`
or `rate CALLERS CALLS`, and answers each with a number. STYLE is `standalone`, a client for each caller, or
`inside`: all callers share the client that a nameko service gets as its dependency.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import os  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import nameko  # noqa: E402
from eventlet import tpool  # noqa: E402
from eventlet.greenpool import GreenPool  # noqa: E402
from nameko.containers import WorkerContext  # noqa: E402
from nameko.rpc import rpc  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402

NEW = hasattr(nameko, "config")
BODY = {
    "person_id": "01900000-0000-7000-8000-000000000001",
    "name": "王小明",
    "hours_served_min": 90,
    "tags": ["a", "b"],
}
FAILED_SHARE = 0.01
Echo = Callable[[Any], Any]


class Service:
    name = "stock_echo"

    @rpc
    def echo(self, body: Any) -> Any:
        return body


def settings(url: str, workers: int) -> dict[str, Any]:
    """Prefetch is `max_workers` in 2.14.1 and a setting of its own in 3.0.0rc11."""
    return {"AMQP_URI": url, "max_workers": workers, "PREFETCH_COUNT": workers, "prefetch_count": workers}


def run(service: type, given: dict[str, Any]) -> Any:
    """A started runner of one service."""
    if NEW:
        nameko.config.setup(given)
        runner = ServiceRunner()
    else:
        runner = ServiceRunner(given)
    runner.add_service(service)
    runner.start()
    return runner


def standalone(url: str, callers: int) -> list[Echo]:
    """A client with a connection of its own for each caller."""
    if NEW:
        from nameko.standalone.rpc import ClusterRpcClient

        nameko.config.setup(settings(url, callers))
        return [ClusterRpcClient().start().stock_echo.echo for _ in range(callers)]
    from nameko.standalone.rpc import ClusterRpcProxy

    return [ClusterRpcProxy(settings(url, callers)).start().stock_echo.echo for _ in range(callers)]


def inside(url: str, callers: int) -> list[Echo]:
    """The client that a service gets as its dependency, shared by all callers."""
    if NEW:
        from nameko.rpc import ServiceRpc as Proxy
    else:
        from nameko.rpc import RpcProxy as Proxy

    caller = type("Caller", (), {"name": f"stock_caller_{os.getpid()}", "echo": Proxy("stock_echo"), "idle": rpc(idle)})
    container = next(iter(run(caller, settings(url, callers)).containers))
    provider, entrypoint = next(iter(container.dependencies)), next(iter(container.entrypoints))
    return [provider.get_dependency(WorkerContext(container, None, entrypoint)).echo for _ in range(callers)]


def idle(self: Any) -> None:
    """A service needs one method to be started."""


def seconds_of(echo: Echo) -> float:
    """One call, checked."""
    began_s = time.perf_counter()
    if echo(BODY) != BODY:
        raise ValueError("not an echo")
    return time.perf_counter() - began_s


def rate(echoes: list[Echo], calls: int) -> float:
    """Good replies a second of all callers together; raises where more calls failed than FAILED_SHARE of them."""
    good, failures = 0, []

    def work(echo: Echo) -> None:
        nonlocal good
        for _ in range(calls // len(echoes)):
            try:
                seconds_of(echo)
                good += 1
            except Exception as error:  # whatever a client raises: it is no reply, and may have come fast
                failures.append(repr(error))

    pool, began_s = GreenPool(len(echoes)), time.perf_counter()
    for echo in echoes:
        pool.spawn(work, echo)
    pool.waitall()
    seconds = time.perf_counter() - began_s
    if len(failures) > FAILED_SHARE * calls:
        raise RuntimeError(f"{len(failures)} of {calls} calls failed, first {failures[0]}")
    return good / seconds


def obey(echoes: list[Echo]) -> None:
    """Answers commands until stdin ends."""
    while line := tpool.execute(sys.stdin.readline):  # a plain read would stop the heartbeats of all connections
        name, *numbers = line.split()
        if name == "rate":
            callers, calls = map(int, numbers)
            answer = rate(echoes[:callers], calls)
        else:
            answer = statistics.median(seconds_of(echoes[0]) for _ in range(int(numbers[0]))) * 1000
        tell(repr(answer))


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    role, amqp_url, choice = sys.argv[1:]
    if role == "server":
        server = run(Service, settings(amqp_url, int(choice)))
        tell("ready")
        server.wait()
    else:
        made = {"standalone": standalone, "inside": inside}[choice](amqp_url, 20)
        tell("ready")
        obey(made)
        os._exit(0)  # stock clients have no common way to end
