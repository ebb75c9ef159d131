"""Named, step-indexed random keys: nothing about randomness needs saving.

A key is a pure function of (seed, stream name, step), so a resumed run draws what
the uninterrupted one would have drawn.
"""

from __future__ import annotations

import zlib

import jax
import numpy as np

from recjax.typing import PRNGKey


def root(seed: int) -> PRNGKey:
    """Returns the key that every other key of a run is folded from."""
    return jax.random.key(seed)


def stream(key: PRNGKey, name: str, step: int | jax.Array = 0) -> PRNGKey:
    """Returns the key of the stream `name` at `step`.

    Args:
      key: the run's root key.
      name: what the randomness is for, for example "dropout".
      step: step number, may be traced.
    """
    return jax.random.fold_in(jax.random.fold_in(key, crc(name)), step)


def host_stream(seed: int, name: str, step: int) -> np.random.Generator:
    """Returns the NumPy generator of the stream `name` at `step`, the same anywhere."""
    # NumPy turns a list with a number above 2**63 into floats, and loses the step.
    key = np.array([seed, crc(name) << 32 | int(step)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def crc(name: str) -> int:
    """Returns a 32-bit number of a name that does not change between processes."""
    return zlib.crc32(name.encode())
