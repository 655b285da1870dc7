"""Memory of processes that run for months: what native code took for a moment goes back to the system."""

from __future__ import annotations

import ctypes

# <malloc.h> of glibc
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BYTES, ARENAS = 1 << 20, 2


def give_back() -> None:
    """Large pieces are mapped alone and unmapped when freed, and threads share two arenas. Left alone, each thread that
    hashed a password keeps its 16 MB, twenty of them 200 MB. Does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
