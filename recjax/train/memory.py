"""Memory of the host."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt, from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_NEVER = -1


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, instead of handing it back.

    XLA's CPU backend allocates its buffers anew in every step. Large ones come from
    the kernel each time, zeroed page by page: some 50 of 300 ms a step with tables of
    width 512. It must be called before JAX starts its threads, since each of them
    would have a heap of its own. Elsewhere than on glibc nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_TOP_PAD, 1 << 28)
    mallopt(_ARENA_MAX, 1)
