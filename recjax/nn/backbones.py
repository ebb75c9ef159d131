"""Convolutional branches that can stand where Deep Ranking has AlexNet.

`recjax.nn.alexnet.AlexNet` is one too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from recjax import rng
from recjax.execution import block
from recjax.nn import convolution as cnn
from recjax.nn import efficientnet
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
    """Trained weights that a branch may start from."""

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


@dataclass(frozen=True)
class EfficientNetLite0:
    """EfficientNet-Lite0, pooled; its first parts may be frozen.

    Attributes:
      size: pixels a side.
      weights: trained weights to start from; None starts from noise.
      frozen: parts that are not trained: 0 trains all, 1 keeps the stem, 1 + n keeps
        n of the 16 blocks too, 18 keeps everything. No gradient passes them, which
        saves most of the time of a step.
      dropout: rate of the vector.
    """

    size: int = efficientnet.SIZE
    weights: Weights | None = None
    frozen: int = 0
    dropout: float = 0.2

    @property
    def width(self) -> int:
        """Numbers that come out, `D`."""
        return efficientnet.WIDTH

    @property
    def trunk(self) -> str:
        """Says which parts are frozen, and with which weights."""
        return f"{self.frozen} parts of EfficientNet-Lite0, {self.weights!r}"

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns what the frozen parts make of uint8 images, f16[B, h, w, C].

        Raises:
          ValueError: there are no frozen parts, or no weights that they start from.
        """
        if not self.frozen or self.weights is None:
            raise ValueError("maps are kept of frozen parts that start from weights")
        return np.asarray(_map_maker(self.weights, self.frozen)(jnp.asarray(images)))

    def init(self, key: PRNGKey) -> Params:
        """Returns the given weights, or such for training from scratch."""
        if self.weights is None:
            return efficientnet.init(key)
        names = {name for _, name in efficientnet.names()}
        given = {k: v for k, v in self.weights.load().items() if k in names}
        return jax.tree.map(jnp.asarray, given)

    def trained(self, params: Mapping[str, Params]) -> Params:
        """Returns the parameters behind the frozen parts."""
        return {name: params[name] for _, name in efficientnet.names(self.frozen)}

    def front(
        self, params: Mapping[str, Params], images: Float[Array, "B height width 3"]
    ) -> Float[Array, "B h w C"]:
        """Returns what the frozen parts make of pixels of about -1 to 1."""
        x = _scaled(images)
        if not self.frozen:
            return x
        kept = jax.lax.stop_gradient(dict(params))
        return jax.lax.stop_gradient(_frozen(kept, x, self.frozen))

    def apply(
        self,
        params: Mapping[str, Params],
        images: Float[Array, "B height width 3"],
        key: PRNGKey | None = None,
        maps: Float[Array, "B h w C"] | None = None,
    ) -> Float[Array, "B D"]:
        """Returns the mean over all positions of the last map.

        Args:
          params: of all parts.
          images: pixels of about -1 to 1.
          key: of dropout.
          maps: what the frozen parts make of the images, if that is known.
        """
        maps = self.front(params, images) if maps is None else maps
        own = None if key is None else rng.stream(key, "dropout")
        return cnn.dropout(own, self.levels(params, maps, ())[-1], self.dropout)

    def levels(
        self,
        params: Mapping[str, Params],
        maps: Float[Array, "B h w C"],
        blocks: tuple[int, ...],
    ) -> list[Float[Array, "B D"]]:
        """Returns the mean over all positions of some maps, the last one always.

        Args:
          params: of the parts behind the frozen ones.
          maps: what the frozen parts make of images.
          blocks: of the 16, by number from 0; from the last frozen one on.

        Raises:
          ValueError: there is no such block.
        """
        known = range(max(self.frozen - 2, 0), len(efficientnet.BLOCKS))
        if not set(blocks) <= set(known):
            raise ValueError(f"blocks {blocks}: must be of {known.start} to 15")
        x, start, made = maps.astype(jnp.float32), self.frozen, []
        for stop in (*(number + 2 for number in sorted(blocks)), efficientnet.PARTS):
            x = efficientnet.apply(params, x, start, stop)
            made.append(jnp.mean(x, axis=(1, 2), dtype=jnp.float32))
            start = stop
        return made


@lru_cache(maxsize=2)
def _map_maker(weights: Weights, frozen: int) -> Callable[[Array], Array]:
    """Returns the compiled frozen parts: uint8 pixels to maps of half precision."""
    params = jax.tree.map(jnp.asarray, weights.load())

    def maps(images: Array) -> Array:
        x = _scaled(images.astype(jnp.float32) / 127.5 - 1)
        return _frozen(params, x, frozen).astype(jnp.float16)

    return jax.jit(maps)


def _scaled(images: Array) -> Array:
    """The weights were trained on (x - 127) / 128, models here see x / 127.5 - 1."""
    return images * (127.5 / 128) + 0.5 / 128


def _frozen(params: Params, x: Array, stop: int) -> Array:
    """Runs the frozen parts: all images at once, on a CPU one after the other.

    The early maps of one image fit a CPU's cache, those of a batch do not: 2 to 4
    times the speed.
    """

    def at_once(x: Array) -> Array:
        return efficientnet.apply(params, x, 0, stop)

    def one_by_one(x: Array) -> Array:
        shards = jax.sharding.get_abstract_mesh().size or 1
        if x.shape[0] % shards:
            return at_once(x)
        # Each device goes through its own images.
        parts = x.reshape(shards, -1, *x.shape[1:]).swapaxes(0, 1)
        out = jax.lax.map(at_once, parts).swapaxes(0, 1)
        return out.reshape(-1, *out.shape[2:])

    return jax.lax.platform_dependent(x, cpu=one_by_one, default=at_once)
