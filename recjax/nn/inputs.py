"""Inputs of a tower: from one id feature and its table rows to one vector each."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from recjax.features import DenseFeature, Feature, IdFeature
from recjax.nn.embedding_bag import bag
from recjax.nn.mlp import unit
from recjax.typing import Array, Batch, Float, Int


class EmbeddingBag(nn.Module):
    """Sum of the rows of a bag of ids, each by its learned importance.

    Attributes:
      table: name of the table of vectors.
      importance: name of a table of width 1 that weighs each id; None weighs all
        alike.
      norm: power of the sum's length that is divided out: 1 makes all bags of length 1,
        0 leaves them alone. Between them longer texts weigh more, but not in
        proportion, as in BM25.
      dropout: rate at which whole ids are left out in training.
    """

    table: str
    importance: str | None = None
    norm: float = 0.5
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
            weights, positions = rows[self.importance]
            if weights.shape[-1] != 1:
                raise ValueError(
                    f"table {self.importance!r} is {weights.shape[-1]} wide, an "
                    "importance needs Table(1)"
                )
            weight *= weights[:, 0][positions]
        if self.dropout:
            weight = nn.Dropout(self.dropout, deterministic=not train)(weight)
        total = bag(values, index, weight)
        if not self.norm:
            return total
        square = jnp.sum(total * total, -1, keepdims=True)
        return total / (square + 1e-6) ** (self.norm / 2)


class NoRows:
    """Base of inputs that read no table."""

    def row_ids(self, ids: Array) -> dict[str, Array]:
        """Names no table rows."""
        del ids
        return {}


class Dense(NoRows, nn.Module):
    """The numbers of a feature through one layer without a bias.

    Attributes:
      width: of the vector.
      scale: standard deviation of the starting weights.
    """

    width: int
    scale: float = 0.05

    def check(self, name: str, feature: Feature) -> None:
        """Raises a ValueError where a feature holds no numbers."""
        if not isinstance(feature, DenseFeature):
            raise ValueError(
                f"{name!r} holds ids: read it with EmbeddingBag, not Dense"
            )

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a row."""
        del rows, train
        start = nn.initializers.normal(self.scale)
        return nn.Dense(self.width, use_bias=False, kernel_init=start)(features[name])


class Scaled(nn.Module):
    """Another input's vector at a length of its own: its share of scores that add up.

    Attributes:
      of: the input.
      length: of its vector; zeros stay zeros.
    """

    of: nn.Module
    length: float = 1.0

    def row_ids(self, ids: Int[Array, "B L"]) -> dict[str, Int[Array, "B L"]]:
        """Names the rows that the input needs, by table."""
        return self.of.row_ids(ids)

    def check(self, name: str, feature: IdFeature) -> None:
        """Raises UserError where the input cannot take a feature."""
        if hasattr(self.of, "check"):
            self.of.check(name, feature)

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector a row."""
        return self.length * unit(self.of(name, features, rows, train))
