"""An input of a tower that is a photograph: a convolutional branch and one layer."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from recjax.features import Feature, ImageFeature
from recjax.nn.backbones import Backbone
from recjax.nn.inputs import Dense, NoRows
from recjax.nn.mlp import unit
from recjax.typing import Array, Batch, Float


class Photo(NoRows, nn.Module):
    """A photograph through a branch, scaled to length 1, and one layer without a bias.

    The layer sees besides whether there is none. A branch whose parameters are to stay
    as they start needs the optimizer's rule `Frozen()`, or `frozen` parts of its own.

    Attributes:
      branch: from pixels to a vector, such as `SmallNet(64)` or
        `EfficientNetLite(0, ImageNet(), frozen=18)`.
      width: of the vector.
      scale: standard deviation of the layer's starting weights.

    Example:
      >>> from recjax.nn.backbones import SmallNet
      >>> photo = Photo(SmallNet(64), width=32)
    """

    branch: Backbone
    width: int
    scale: float = 0.05

    def check(self, name: str, feature: Feature) -> None:
        """Raises a ValueError where a feature holds no photographs of the size."""
        if not isinstance(feature, ImageFeature):
            raise ValueError(f"{name!r} holds no photographs, which Photo reads")
        if feature.size != self.branch.size:
            raise ValueError(
                f"{name!r} is {feature.size} pixels a side, the branch of its Photo "
                f"takes {self.branch.size}: make ImageColumn(size=...) the same"
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
        del rows
        pixels = jnp.asarray(features[name])
        there = pixels.any((1, 2, 3))[:, None]
        params = self.param("branch", self.branch.init)
        key = self.make_rng("dropout") if train else None
        seen = self.branch.apply(params, pixels.astype(jnp.float32) / 127.5 - 1, key)
        known = jnp.where(there, unit(seen), 0.0)
        both = {name: jnp.concatenate([known, ~there], -1)}
        return Dense(self.width, self.scale)(name, both, {}, train)
