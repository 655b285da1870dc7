"""Which `top` serves: the compiled kernel once `warm` has it, the numpy twin before and wherever numba is missing."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from services.matching.ranking import vector

Top = Callable[..., int]
_SOURCES = ("arrays.py", "formulas.py", "fused.py", "grid.py", "measures.py")
_STAMP_BYTES = 7
_serving: list[Top] = [vector.top]


def top() -> Top:
    """The `top` to call now."""
    return _serving[0]


def compiled() -> bool:
    """Whether the compiled kernel serves."""
    return top() is not vector.top


def cache_folder() -> Path:
    """Where compiled code is kept: NUMBA_CACHE_DIR, or a folder of the user's own cache."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(home) / "banyan" / "numba"


def stamp(package: str = __package__, names: Sequence[str] = _SOURCES) -> int:
    """A number that changes with any source that is compiled in; numba itself watches only the file of the function."""
    sources = resources.files(package)
    text = b"".join(sources.joinpath(name).read_bytes() for name in names)
    return int.from_bytes(hashlib.sha256(text).digest()[:_STAMP_BYTES], "big")


def numba_installed() -> bool:
    """Whether numba can compile here; names the folder of its cache, which it reads when it is first imported."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder()))
    return importlib.util.find_spec("numba") is not None


def build() -> Top | None:
    """The compiled kernel, loaded from the user's cache or compiled (seconds); None where numba is not installed."""
    if not numba_installed():
        return None
    from services.matching.ranking import fused

    return fused.build(stamp())


def serve(chosen: Top) -> None:
    """Makes every index use a `top` from now on."""
    _serving[0] = chosen
