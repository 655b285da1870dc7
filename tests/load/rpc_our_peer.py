"""Banyan's RPC as a peer of the benchmark: the same roles, words and work as rpc_stock_peer.py, over our transport.

Like stock, it makes JSON of the argument and the result on both sides; the callers share one green client.
"""

from __future__ import annotations

from banyan.runtime.rpc import green

green.patch()

import sys  # noqa: E402
from typing import Any  # noqa: E402

import msgspec  # noqa: E402

from banyan.runtime.rpc.green_link import GreenClient  # noqa: E402
from banyan.wire.rpc import Call  # noqa: E402
from tests.load.rpc_stock_peer import obey, tell  # noqa: E402

CALLERS = 20


def echo(call: Call) -> bytes:
    """Decodes the argument and encodes it again, as stock does."""
    return msgspec.json.encode(msgspec.json.decode(call.body))


def main() -> None:
    role, url, choice = sys.argv[1:]
    if role == "server":
        green.serve({"our_echo": echo}, url, max_workers=int(choice), on_ready=lambda: tell("ready"))
        return
    client = GreenClient(url, connection_name="bench")

    def call(body: Any) -> Any:
        return msgspec.json.decode(client.call("our_echo", "echo", msgspec.json.encode(body), token="t", key="k"))

    tell("ready")
    obey([call] * CALLERS)
    client.close()


if __name__ == "__main__":
    main()
