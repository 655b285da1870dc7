"""Memory of processes that run for months: what was taken for a moment goes back to the system."""

from __future__ import annotations

import ctypes
import gc

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


def trim() -> None:
    """What is free goes back now: after work over many rows the heap is large and mostly empty, and stays so by itself."""
    gc.collect()
    give = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give:
        give(0)
