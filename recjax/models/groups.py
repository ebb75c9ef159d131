"""Parts of a batch laid together for one pass, so that no row leaves its device.

Arrays of different lengths are cut into the same number of groups; group g of the whole
is group g of every part. Where a mesh splits the groups, each device joins and parts
what it holds, and nothing is sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from recjax.typing import Array, Batch


def join(parts: Sequence[Batch], count: int | None = None) -> Batch:
    """Returns one batch [n_1 + n_2 + ..., ...] of batches [n_i, ...] of equal kinds.

    Args:
      parts: the batches.
      count: number of groups; None for as many as there can be, 1 lays whole parts
        one behind the other.
    """
    if len(parts) == 1:
        return parts[0]
    return jax.tree.map(lambda *arrays: _join(arrays, count), *parts)


def part(array: Array, sizes: Sequence[int], count: int | None = None) -> list[Array]:
    """Returns the arrays [n_i, ...] that `join` laid together."""
    groups = count or math.gcd(*sizes)
    whole = array.reshape(groups, -1, *array.shape[1:])
    cuts = [sum(sizes[:i]) // groups for i in range(1, len(sizes))]
    return [one.reshape(-1, *array.shape[1:]) for one in jnp.split(whole, cuts, axis=1)]


def _join(arrays: Sequence[Array], count: int | None) -> Array:
    groups = count or math.gcd(*(len(array) for array in arrays))
    rows = [array.reshape(groups, -1, *array.shape[1:]) for array in arrays]
    return jnp.concatenate(rows, 1).reshape(-1, *arrays[0].shape[1:])
