"""Convolutional branches that can stand where Deep Ranking has AlexNet.

`recjax.nn.alexnet.AlexNet` and `recjax.nn.lite.EfficientNetLite` are such too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from recjax import rng
from recjax.execution import block
from recjax.nn import convolution as cnn
from recjax.typing import Array, Float, Params, PRNGKey


class Backbone(Protocol):
    """From pixels of about -1 to 1 to one vector an image."""

    @property
    def size(self) -> int:
        """Pixels a side."""
        ...

    @property
    def width(self) -> int:
        """Numbers that come out, `D`."""
        ...

    def init(self, key: PRNGKey) -> Params:
        """Returns parameters."""
        ...

    def apply(
        self, params: Params, images: Float[Array, "B h w 3"], key: PRNGKey | None
    ) -> Float[Array, "B D"]:
        """Returns vectors; dropout only with a key."""
        ...


class Weights(Protocol):
    """Trained weights of EfficientNet-Lite that a branch may start from."""

    @property
    def variant(self) -> int:
        """Whose weights they are: 0, 1 or 2."""
        ...

    @property
    def name(self) -> str:
        """Says which they are; two of one name hold the same numbers."""
        ...

    def load(self) -> Params:
        """Returns the branch's parameters."""
        ...


@runtime_checkable
class FrozenFront(Backbone, Protocol):
    """A backbone whose first parts may be frozen; what they make of images are maps."""

    @property
    def weights(self) -> Weights | None:
        """Trained weights that it starts from."""
        ...

    @property
    def frozen(self) -> int:
        """How many parts are frozen."""
        ...

    @property
    def trunk(self) -> str:
        """Says which parts are frozen, and with which weights."""
        ...

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns f16[B, h, w, C] of uint8 images, by the weights it starts from."""
        ...

    def front(self, params: Params, images: Float[Array, "B h w 3"]) -> Array:
        """Returns the maps by the given parameters."""
        ...

    def trained(self, params: Params) -> Params:
        """Returns the parameters behind the frozen parts."""
        ...

    def levels(
        self, params: Params, maps: Array, blocks: tuple[int, ...]
    ) -> list[Float[Array, "B D"]]:
        """Returns pooled maps of blocks behind the frozen parts, and of the last one.

        Raises:
          ValueError: there is no such block.
        """
        ...

    def apply(
        self,
        params: Params,
        images: Float[Array, "B h w 3"],
        key: PRNGKey | None,
        maps: Array | None = None,
    ) -> Float[Array, "B D"]:
        """Returns vectors; the front is left out where its `maps` are known."""
        ...


@runtime_checkable
class FrozenBranch(Protocol):
    """A network as others trained it, from pixels to pooled maps; nothing trains it.

    `recjax.nn.lite.FrozenLite` and `recjax.pretrained.onnx.Onnx` are such.
    """

    @property
    def size(self) -> int:
        """Pixels a side."""
        ...

    def load(self) -> Params:
        """Returns its parameters."""
        ...

    def levels(
        self, params: Params, images: Float[Array, "B size size 3"]
    ) -> list[Float[Array, "B D"]]:
        """Returns vectors of images, pixels of about -1 to 1: one a map."""
        ...


@dataclass(frozen=True)
class SmallNet:
    """A small branch for 64 to 128 pixels: convolutions, each halving the side.

    Attributes:
      size: pixels a side.
      channels: of each convolution; the last one is the width of the vector.
      dropout: rate of the vector.
    """

    size: int = 64
    channels: tuple[int, ...] = (32, 64, 128, 256)
    dropout: float = 0.0

    @property
    def width(self) -> int:
        """Numbers that come out, `D`."""
        return self.channels[-1]

    def init(self, key: PRNGKey) -> Params:
        """Returns parameters for training from scratch."""
        inputs = (3, *self.channels)
        return {
            f"conv_{i}": cnn.init_layer(
                rng.stream(key, f"conv_{i}"), (3, 3, inputs[i], out)
            )
            for i, out in enumerate(self.channels)
        }

    def apply(
        self,
        params: Mapping[str, Params],
        images: Float[Array, "B height width 3"],
        key: PRNGKey | None = None,
    ) -> Float[Array, "B D"]:
        """Returns the mean over all positions of the last map."""
        x = images
        for i in range(len(self.channels)):
            x = jax.nn.relu(cnn.conv(params[f"conv_{i}"], x))
            x = block(cnn.response_norm(nn.max_pool(x, (2, 2), (2, 2), "SAME")))
        own = None if key is None else rng.stream(key, "dropout")
        return cnn.dropout(
            own, jnp.mean(x, axis=(1, 2), dtype=jnp.float32), self.dropout
        )
