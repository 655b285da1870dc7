"""Stock nameko in a process of its own: `caller URL` calls our server, `server URL` serves `stock`."""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402

from nameko import config  # noqa: E402
from nameko.exceptions import RemoteError, UnknownService  # noqa: E402
from nameko.rpc import rpc  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402
from nameko.standalone.rpc import ClusterRpcClient  # noqa: E402


class Stock:
    name = "stock"

    @rpc
    def twice(self, number: int) -> int:
        return number * 2

    @rpc
    def fail(self, body: object) -> None:
        raise ValueError("stock is broken")


def tell(name: str, value: object) -> None:
    sys.stdout.write(json.dumps([name, value]) + "\n")
    sys.stdout.flush()


def call_ours() -> None:
    with ClusterRpcClient(context_data={"token": "tok", "idempotency_key": "k1"}, timeout=20) as cluster:
        tell("echo", cluster.main.echo({"名": [1, None]}))
        tell("keyword", cluster.main.echo(body=7))
        tell("described", cluster.main.describe({}))
        for name, arguments in (
            ("refuse", {"code": "wrong_state", "facts": {"n": 1}}),
            ("nothing", {}),
            ("echo", None),
        ):
            try:
                cluster.main[name](*([arguments] if arguments is not None else [1, 2]))
            except RemoteError as error:
                tell(name, [error.exc_type, error.value])
        try:
            cluster.nobody.echo({})
        except UnknownService:
            tell("nobody", "UnknownService")


config.setup({"AMQP_URI": sys.argv[2]})
if sys.argv[1] == "caller":
    call_ours()
else:
    runner = ServiceRunner()
    runner.add_service(Stock)
    runner.start()
    tell("ready", True)
    runner.wait()
