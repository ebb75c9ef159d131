"""A history of ids as one vector, the newest weighing most."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.nn.bag import bag
from recjax.typing import Array, Batch, Float, Int

MINUTE = 60.0


class RecencyBag(nn.Module):
    """Weighted means of the rows of a history, under several learned forgettings.

    Head h weighs the item that stands p places and t minutes before the query by
    `(1 + t) ** -by_age[h] * (1 + p) ** -by_place[h]`: power laws, since people forget
    like that. Both powers are learned. A linear map joins the heads.

    Attributes:
      table: name of the table of vectors.
      width: output width.
      heads: number of forgettings; they start spread from long to short memory.
      age: name of the feature with the seconds since each id; None leaves age out.
      id_dropout: rate at which whole ids are left out in training.
      dropout: rate on the heads' vectors.
    """

    table: str
    width: int
    heads: int = 4
    age: str | None = None
    id_dropout: float = 0.0
    dropout: float = 0.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L"]]:
        """Names the rows that these ids need, by table."""
        return {self.table: ids}

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a history; an empty history gives a learned one."""
        ids = features[name]
        values, index = rows[self.table]
        held = (ids > 0).astype(values.dtype)
        newer = jnp.cumsum(held[:, ::-1], 1)[:, ::-1] - held
        place = jnp.log1p(newer)
        age = 0.0 if self.age is None else jnp.log1p(features[self.age] / MINUTE)
        keep = nn.Dropout(self.id_dropout, deterministic=not train)(held)
        spread = jnp.linspace(0.0, 1.0, self.heads, dtype=values.dtype)
        by_age = self.param("by_age", lambda _: 0.2 + 1.8 * spread)
        by_place = self.param("by_place", lambda _: 1.5 * spread)
        parts = []
        for head in range(self.heads):
            weight = keep * jnp.exp(-by_age[head] * age - by_place[head] * place)
            weight /= jnp.sum(weight, 1, keepdims=True) + 1e-3
            parts.append(bag(values, index, weight))
        joined = jnp.concatenate(parts, -1)
        joined = nn.Dropout(self.dropout, deterministic=not train)(joined)
        return nn.Dense(self.width, kernel_init=_mean_of_heads)(joined)


def _mean_of_heads(key: Array, shape: tuple[int, int], dtype=jnp.float32) -> Array:
    """Starts as the mean of the heads, so that queries begin in the items' space."""
    heads = shape[0] // shape[1]
    eye = jnp.tile(jnp.eye(shape[1], dtype=dtype), (heads, 1)) / heads
    return eye + 0.01 * jax.random.normal(key, shape, dtype)
