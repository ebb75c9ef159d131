"""What this process keeps: memory that it has freed, and what it has compiled."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

import jax

from recjax.paths import cache_root

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


def keep_compiled() -> None:
    """Keeps what JAX compiles in the user's cache folder, for later processes.

    A folder that is set already, by `JAX_COMPILATION_CACHE_DIR` for example, stays;
    `JAX_ENABLE_COMPILATION_CACHE=false` keeps nothing. Machines that share a home have
    folders of their own, for what is compiled for one may not run on another.
    """
    if getattr(jax.config, "jax_compilation_cache_dir", None) is not None:
        return
    folder = cache_root() / "compiled" / platform.node()
    jax.config.update("jax_compilation_cache_dir", os.fspath(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
