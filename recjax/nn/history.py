"""A history of ids, newest weighing most, as one vector."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.nn.bag import bag
from recjax.typing import Array, Float, Int


class RecencyBag(nn.Module):
    """Sum of the rows of a history, each weighed by how long ago it stands.

    The weight of the item that stands a places before the end is learned, one number a
    place and head; it starts as a geometric decay. Each head looks through its own
    decay, and a linear map joins the heads.

    Attributes:
      table: name of the table of vectors.
      width: output width.
      decays: starting decay a place, one a head.
      dropout: rate at which whole ids are left out in training.
    """

    table: str
    width: int
    decays: tuple[float, ...] = (0.5, 0.9, 1.0)
    dropout: float = 0.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L"]]:
        """Names the rows that these ids need, by table."""
        return {self.table: ids}

    @nn.compact
    def __call__(
        self,
        ids: Int[Array, "B L"],
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a history; an empty history gives a learned one."""
        values, index = rows[self.table]
        length = ids.shape[1]
        held = ids > 0
        count = jnp.sum(held, 1, keepdims=True)
        ago = jnp.clip(count - 1 - jnp.arange(length)[None], 0, length - 1)
        keep = held.astype(values.dtype)
        if self.dropout:
            keep = nn.Dropout(self.dropout, deterministic=not train)(keep)
        parts = []
        for head, decay in enumerate(self.decays):
            start = jnp.log(decay) * jnp.arange(length, dtype=values.dtype)
            place = self.param(f"log_weight_{head}", lambda _, s=start: s)
            weight = jnp.exp(jnp.clip(place, -20, 5))[ago] * keep
            weight /= jnp.sum(weight, 1, keepdims=True) + 1e-3
            parts.append(bag(values, index, weight))
        joined = jnp.concatenate(parts, -1)
        return nn.Dense(self.width, kernel_init=_stacked_identity)(joined)


def _stacked_identity(key: Array, shape: tuple[int, int], dtype=jnp.float32) -> Array:
    """Starts as the mean of the heads, so that queries begin in the items' space."""
    heads = shape[0] // shape[1]
    eye = jnp.tile(jnp.eye(shape[1], dtype=dtype), (heads, 1)) / heads
    return eye + 0.01 * jax.random.normal(key, shape, dtype)
