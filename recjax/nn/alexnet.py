"""The convolutional network of Krizhevsky et al. 2012, up to its last hidden layer.

For 225 x 225 pixels, as Wang et al. 2014 (Deep Ranking) use it. With SAME convolutions
and VALID pooling the maps are 57, 28, 13 and 6 a side, and the first dense layer sees
6 x 6 x 256 = 9216 numbers as in the original. 56,868,224 parameters with two groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax import rng
from recjax.execution import block, product
from recjax.nn import convolution as cnn
from recjax.typing import Array, Float, Params, PRNGKey


class _Conv(NamedTuple):
    side: int
    stride: int
    outputs: int
    grouped: bool
    norm: bool
    pool: bool


_CONVS = (
    _Conv(11, 4, 96, False, True, True),
    _Conv(5, 1, 256, True, True, True),
    _Conv(3, 1, 384, False, False, False),
    _Conv(3, 1, 384, True, False, False),
    _Conv(3, 1, 256, True, False, True),
)
_DENSE = (4096, 4096)


@dataclass(frozen=True)
class AlexNet:
    """Five convolutions and two dense layers, local response normalisation.

    Attributes:
      groups: 2 as published (two GPUs), or 1.
      dropout: rate of the dense layers; 0.4 in Deep Ranking ("keep 0.6").
      size: pixels a side.
    """

    groups: int = 2
    dropout: float = 0.4
    size: int = 225

    @property
    def width(self) -> int:
        """Numbers that come out, `D`."""
        return _DENSE[-1]

    def init(self, key: PRNGKey) -> Params:
        """Returns parameters for training from scratch."""
        params, inputs = {}, 3
        for i, one in enumerate(_CONVS):
            groups = self.groups if one.grouped else 1
            shape = (one.side, one.side, inputs // groups, one.outputs)
            params[f"conv_{i}"] = cnn.init_layer(rng.stream(key, f"conv_{i}"), shape)
            inputs = one.outputs
        side = self.maps()[-1]
        inputs *= side * side
        for i, outputs in enumerate(_DENSE):
            own = rng.stream(key, f"dense_{i}")
            params[f"dense_{i}"] = cnn.init_layer(own, (inputs, outputs))
            inputs = outputs
        return params

    def maps(self) -> list[int]:
        """Returns the side of the map after each convolution and its pooling."""
        sides, side = [], self.size
        for one in _CONVS:
            side = -(-side // one.stride)
            side = (side - 3) // 2 + 1 if one.pool else side
            sides.append(side)
        return sides

    def apply(
        self,
        params: Mapping[str, Params],
        images: Float[Array, "B height width 3"],
        key: PRNGKey | None = None,
    ) -> Float[Array, "B D"]:
        """Returns the last hidden layer.

        Args:
          params: of `init`.
          images: pixels, about -1 to 1.
          key: for dropout; None for none.
        """
        x = images
        for i, one in enumerate(_CONVS):
            groups = self.groups if one.grouped else 1
            x = cnn.conv(params[f"conv_{i}"], x, one.stride, groups=groups)
            x = jax.nn.relu(x)
            if one.norm:
                x = cnn.response_norm(x)
            if one.pool:
                x = nn.max_pool(x, (3, 3), (2, 2))
            x = block(x)
        x = x.reshape(x.shape[0], -1)
        for i in range(len(_DENSE)):
            dense = params[f"dense_{i}"]
            x = product(x, dense["kernel"])
            x = jax.nn.relu(x + dense["bias"].astype(x.dtype))
            own = None if key is None else rng.stream(key, f"dropout_{i}")
            x = block(cnn.dropout(own, x, self.dropout))
        return x.astype(jnp.float32)
