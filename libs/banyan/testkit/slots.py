"""One folder a test session, so that two sessions in one clone never share a server."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from banyan.testkit.postgres import PrivatePostgres
from banyan.testkit.rabbit import PrivateRabbit


@contextmanager
def session_slot(root: Path) -> Iterator[Path]:
    """The first folder root/0, root/1 ... that no living session holds, swept of what a killed one left running."""
    for number in count():
        folder = root / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "session.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            sweep(folder)
            yield folder
            sweep(folder)
            return


def sweep(folder: Path) -> None:
    """Kills the servers of the folder and deletes their data."""
    PrivatePostgres(folder / "postgres").destroy()
    PrivateRabbit(folder / "rabbit").destroy()
