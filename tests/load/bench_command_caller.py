"""Twenty callers of the sample service's water_tree in a green process of their own, spoken to in lines (`rate 20 1000`).

Run by bench_command_rpc: `bench_command_caller.py <amqp url> <folder of keys> <trees>`. Each call has a new key; the
token is the instance's own and is signed anew while it is still good.
"""

from __future__ import annotations

from banyan.runtime.rpc import green

green.patch()

import itertools  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
from typing import Any  # noqa: E402

from banyan.kernel.context import Caller, Grant  # noqa: E402
from banyan.runtime.host.app import system_token  # noqa: E402
from banyan.runtime.rpc.green_link import GreenClient  # noqa: E402
from banyan.vault.keys import KeyFolder  # noqa: E402
from tests.load.rpc_stock_peer import obey, tell  # noqa: E402

CALLERS, TOKEN_S = 20, 120
GARDENER = Caller(account="gardener-1", grants=(Grant(duty="gardener", division="350200000000"),))


class Gardener:
    """A caller; all share one client and one token."""

    def __init__(self, client: GreenClient, keys: KeyFolder, trees: int) -> None:
        self._client, self._keys = client, keys
        self._trees = itertools.cycle(range(1, trees + 1))
        self._token, self._until = "", 0.0

    def __call__(self, asked: Any) -> Any:
        """Waters the next tree; answers what it was asked, so that the caller of an echo is content. Raises Refused."""
        if time.monotonic() > self._until:
            self._token, self._until = system_token(self._keys, GARDENER), time.monotonic() + TOKEN_S
        body = b'{"tree_id":"t-%d","litres":1}' % next(self._trees)
        self._client.call("sample", "water_tree", body, token=self._token, key=str(uuid.uuid4()))
        return asked


def main() -> None:
    url, folder, trees = sys.argv[1:]
    client = GreenClient(url, connection_name="bench commands")
    gardener = Gardener(client, KeyFolder(folder), int(trees))
    tell("ready")
    obey([gardener] * CALLERS)
    client.close()


if __name__ == "__main__":
    main()
