"""Weighted sums of table rows, without one row per token in memory."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from recjax.sharding import parts
from recjax.typing import Array, Float, Int


def bag(
    values: Float[Array, "U D"],
    index: Int[Array, "B L"],
    weight: Float[Array, "B L"],
) -> Float[Array, "B D"]:
    """Sums `weight[b, l] * values[index[b, l]]` over l.

    Floor: 2 B L D FLOPs; reads B L D and writes B D numbers. A gather of [B, L, D]
    would write and read those B L D numbers once more, and its gradient twice more;
    here one position is added after the other, forward and backward.

    Args:
      values: distinct rows.
      index: which row stands at each position.
      weight: its weight, 0 for padding.
    """
    return parts.by_rows(
        lambda at, _, values: _bag(values, *at), (index, weight), whole=values
    )


@jax.custom_vjp
def _bag(values: Array, index: Array, weight: Array) -> Array:
    def add(total: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        index, weight = at
        return total + values[index] * weight[:, None], None

    start = parts.own(jnp.zeros((index.shape[0], values.shape[1]), values.dtype))
    return jax.lax.scan(add, start, (index.T, weight.T))[0]


def _forward(values: Array, index: Array, weight: Array) -> tuple[Array, tuple]:
    return _bag(values, index, weight), (values, index, weight)


def _backward(saved: tuple, grad: Array) -> tuple[Array, None, Array]:
    values, index, weight = saved

    def add(total: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        index, weight = at
        total = total.at[index].add(grad * weight[:, None])
        return total, jnp.sum(values[index] * grad, -1)

    by_position = (index.T, weight.T)
    rows, weights = jax.lax.scan(add, jnp.zeros_like(values), by_position)
    return rows, None, weights.T


_bag.defvjp(_forward, _backward)
