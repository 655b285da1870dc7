"""Files of one piece of work, gone with it; what a process that was killed left is gone when another begins.

All folders stand in one, which only we may enter. Whose work goes on holds a lock on its folder; the system takes the lock
from a process that dies, so a folder that can be locked is nobody's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OURS_ALONE = 0o700


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder for as long as the work takes; those that nobody works in any more are removed first."""
    with _alone() as above:
        _sweep(above)
        made = Path(tempfile.mkdtemp(dir=above))
        lock = _locked(made)
    try:
        yield made
    finally:
        shutil.rmtree(made)
        if lock is not None:
            os.close(lock)


def sweep() -> None:
    """Removes what killed processes left: the first thing that a process does which takes up their work."""
    with _alone() as above:
        _sweep(above)


@contextmanager
def _alone() -> Iterator[Path]:
    """The folder of all, while no other process makes or removes one in it."""
    above = Path(tempfile.gettempdir(), f"banyan-{os.getuid()}")
    above.mkdir(mode=OURS_ALONE, exist_ok=True)
    found = above.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != OURS_ALONE:
        raise PermissionError(f"{above} is not ours alone")
    held = os.open(above, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield above
    finally:
        os.close(held)


def _sweep(above: Path) -> None:
    for left in above.iterdir():
        lock = _locked(left)
        if lock is not None:
            shutil.rmtree(left)
            os.close(lock)


def _locked(one: Path) -> int | None:
    """The lock on a folder; None where another holds it."""
    held = os.open(one, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held
