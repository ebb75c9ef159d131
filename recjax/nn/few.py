"""Networks over few images at a time, so that their maps fit a CPU's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax

from recjax.typing import Array

Out = TypeVar("Out")


def few_at_a_time(function: Callable[[Array], Out], x: Array, most: int) -> Out:
    """Returns `function(x)`, which a CPU computes of few rows at a time.

    The maps of few images fit a CPU's cache, those of a batch do not, and most of the
    time goes into reading and writing them. On the way back each few are computed
    again, which takes less time than reading what was kept of all.

    Args:
      function: of rows [n, ...]; returns a tree of arrays [n, ...]. A row's result
        depends on that row alone.
      x: [B, ...].
      most: rows at a time; fewer where this does not divide the rows of a device.
    """

    def in_turn(x: Array) -> Out:
        shards = jax.sharding.get_abstract_mesh().size or 1
        if x.shape[0] % shards:
            return function(x)
        own, few = x.shape[0] // shards, 1
        if isinstance(own, int):  # An exported function's batch has no size yet.
            few = max(n for n in range(1, most + 1) if own % n == 0)
        turns = own // few
        if isinstance(turns, int) and turns < 2:
            return function(x)
        # Each device goes through its own rows.
        apart = x.reshape(shards, turns, few, *x.shape[1:]).swapaxes(0, 1)
        apart = apart.reshape(turns, shards * few, *x.shape[1:])
        done = jax.lax.map(jax.checkpoint(function), apart)

        def together(y: Array) -> Array:
            y = y.reshape(turns, shards, few, *y.shape[2:]).swapaxes(0, 1)
            return y.reshape(x.shape[0], *y.shape[3:])

        return jax.tree.map(together, done)

    return jax.lax.platform_dependent(x, cpu=in_turn, default=function)
