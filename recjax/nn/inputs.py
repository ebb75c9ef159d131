"""Inputs of a tower: from one id feature and its table rows to one vector each."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from recjax.nn.bag import bag
from recjax.typing import Array, Batch, Float, Int


class Bag(nn.Module):
    """Sum of the rows of a bag of ids, each by its learned importance.

    Attributes:
      table: name of the table of vectors.
      importance: name of a table of width 1 that weighs each id; None weighs all
        alike.
      norm: scale the sum to length 1, or leave it ("none"), or divide it by the
        square root of the number of ids ("sqrt").
      dropout: rate at which whole ids are left out in training.
    """

    table: str
    importance: str | None = None
    norm: str = "sqrt"
    dropout: float = 0.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L"]]:
        """Names the rows that these ids need, by table."""
        named = {self.table: ids}
        if self.importance is not None:
            named[self.importance] = ids
        return named

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a bag; an empty bag gives zeros."""
        ids = features[name]
        values, index = rows[self.table]
        weight = (ids > 0).astype(values.dtype)
        if self.importance is not None:
            weights, places = rows[self.importance]
            weight *= weights[:, 0][places]
        if self.dropout:
            weight = nn.Dropout(self.dropout, deterministic=not train)(weight)
        total = bag(values, index, weight)
        if self.norm == "unit":
            square = jnp.sum(total * total, -1, keepdims=True)
            return total / jnp.sqrt(square + 1e-6)
        if self.norm == "sqrt":
            count = jnp.sum(ids > 0, -1, keepdims=True)
            return total / jnp.sqrt(jnp.maximum(count, 1)).astype(total.dtype)
        return total
