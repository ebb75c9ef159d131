"""A history of ids as one vector, the newest weighing most."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.nn.embedding_bag import bag
from recjax.seconds import MINUTE
from recjax.typing import Array, Batch, Float, Int

BEFORE = -3.5
"""Log weight of row 0 at the start: that of an event of half an hour ago."""


class RecencyBag(nn.Module):
    """Weighted means of the rows of a history, under several learned forgettings.

    Head h weighs the item that stands p positions and t minutes before the query by
    `(1 + t) ** -by_age[h] * (1 + p) ** -by_place[h]`: power laws, since people forget
    like that. Both powers are learned. Row 0 of the table stands before every history,
    with a learned weight: what to expect of somebody of whom little is known. A linear
    map joins the heads.

    Attributes:
      table: name of the table of vectors.
      width: output width.
      heads: number of forgettings; they start spread from long to short memory.
      age: name of the feature with the seconds since each id; None leaves age out.
      hidden: width of a hidden layer beside the linear map; 0 for none.
      id_dropout: rate at which whole ids are left out in training.
      dropout: rate on the heads' vectors.
    """

    table: str
    width: int
    heads: int = 4
    age: str | None = None
    hidden: int = 0
    id_dropout: float = 0.0
    dropout: float = 0.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L+1"]]:
        """Names the rows that these ids need, by table."""
        return {self.table: jnp.pad(ids, ((0, 0), (0, 1)))}

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a history, of an empty one too."""
        ids = features[name]
        values, index = rows[self.table]
        if values.shape[1] != self.width:
            raise ValueError(
                f"table {self.table!r} is {values.shape[1]} wide, RecencyBag has width "
                f"{self.width}: give both one width"
            )
        held = (ids > 0).astype(values.dtype)
        newer = jnp.cumsum(held[:, ::-1], 1)[:, ::-1] - held
        position = jnp.log1p(newer)[..., None]
        age = 0.0
        if self.age is not None:
            age = jnp.log1p(features[self.age] / MINUTE)[..., None]
        spread = jnp.linspace(0.0, 1.0, self.heads, dtype=values.dtype)
        by_age = self.param("by_age", lambda _: 0.2 + 1.4 * spread)
        by_place = self.param("by_place", lambda _: jnp.zeros_like(spread))
        before = self.param("before", lambda _: jnp.full_like(spread, BEFORE))
        keep = nn.Dropout(self.id_dropout, deterministic=not train)(held)
        weight = keep[..., None] * jnp.exp(-by_age * age - by_place * position)
        first = jnp.broadcast_to(jnp.exp(before), (ids.shape[0], 1, self.heads))
        weight = jnp.concatenate([weight, first], 1)
        weight /= jnp.sum(weight, 1, keepdims=True)
        # Histories are short: one gather that all heads share beats a scan.
        joined = jnp.einsum("blh,bld->bhd", weight, values[index])
        joined = joined.reshape(ids.shape[0], -1)
        joined = nn.Dropout(self.dropout, deterministic=not train)(joined)
        out = nn.Dense(self.width, kernel_init=_mean_of_heads, name="linear")(joined)
        if self.hidden:
            deep = nn.relu(nn.Dense(self.hidden, use_bias=False, name="hidden")(joined))
            out += nn.Dense(self.width, False, kernel_init=_small, name="out")(deep)
        return out


class DecayedSum(nn.Module):
    """Sum of the rows of a history, each by one power of its age: nothing is learned.

    The event of t minutes ago weighs `(1 + t) ** -power`. With rows and candidates from
    a factorised co-occurrence matrix this is item-kNN as a dot product.

    Attributes:
      table: name of the table of vectors.
      age: name of the feature with the seconds since each id.
      power: how fast events are forgotten.
      scale: factor of the sum.
    """

    table: str
    age: str
    power: float
    scale: float = 1.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L"]]:
        """Names the rows that these ids need, by table."""
        return {self.table: ids}

    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a history; an empty one gives zeros."""
        del train
        values, index = rows[self.table]
        weight = (1 + features[self.age] / MINUTE) ** -self.power
        weight *= (features[name] > 0) * self.scale
        return bag(values, index, weight.astype(values.dtype))


def _mean_of_heads(key: Array, shape: tuple[int, int], dtype=jnp.float32) -> Array:
    """Starts as the mean of the heads, so that queries begin in the items' space."""
    heads = shape[0] // shape[1]
    eye = jnp.tile(jnp.eye(shape[1], dtype=dtype), (heads, 1)) / heads
    return eye + 0.01 * jax.random.normal(key, shape, dtype)


_small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")
