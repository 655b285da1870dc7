"""Work in a process of its own, so that what serves people stays responsive: started with our modules, watched, ended with us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from banyan.runtime.host import memory

NICENESS = 19  # whatever serves people comes first
PR_SET_PDEATHSIG = 1
LOOK_S = 0.5
TROUBLE_BYTES = 400


def begin() -> None:
    """What the process does first: it is killed with whoever started it, be that by kill -9, takes the lowest priority, and
    gives back the memory that it needs no more."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    memory.give_back()


@contextlib.contextmanager
def started(module: str, *arguments: str, trouble: IO[bytes], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module …`; what it says on standard error goes into the file `trouble`. It is killed where we leave first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    command = (sys.executable, "-m", module, *arguments)
    process = subprocess.Popen(command, stderr=trouble, env=environment, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> bool:
    """Waits until it has ended by itself; False where `stop`, asked every half second, says so first."""
    while process.poll() is None:
        if stop():
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
    return True


def last_words(trouble: IO[bytes]) -> str:
    """The end of what it said on standard error."""
    trouble.seek(0)
    return trouble.read()[-TROUBLE_BYTES:].decode("utf-8", "replace")
