"""EfficientNet-Lite as a branch: trained in part, or frozen as others trained it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from recjax import rng
from recjax.nn import convolution as cnn
from recjax.nn import efficientnet
from recjax.nn.backbones import Weights
from recjax.nn.efficientnet import Lite
from recjax.nn.few import few_at_a_time
from recjax.typing import Array, Float, Params, PRNGKey

FEW = 8
"""Images at a time whose maps, behind the first ten blocks or so, fit a CPU's cache."""


@dataclass(frozen=True)
class EfficientNetLite:
    """EfficientNet-Lite0, 1 or 2, pooled; its first parts may be frozen.

    Attributes:
      variant: 0, 1 or 2.
      weights: trained weights of that variant to start from; None starts from noise.
      frozen: parts that are not trained: 0 trains all, 1 keeps the stem, 1 + n keeps
        n of the blocks too (variant 0 has 16, the others 21), 18 (23) keeps
        everything. No gradient passes them, which saves most of the time of a step.
      dropout: rate of the vector.
      pixels: a side; None for those of the published weights: 224, 240, 260.
    """

    variant: int = 0
    weights: Weights | None = None
    frozen: int = 0
    dropout: float = 0.2
    pixels: int | None = None

    def __post_init__(self) -> None:
        """Checks the variant.

        Raises:
          ValueError: there is no such variant, the weights are of another one, or it
            has not that many parts.
        """
        if not 0 <= self.frozen <= self.net.parts:
            raise ValueError(
                f"frozen = {self.frozen}: EfficientNet-Lite{self.variant} has "
                f"{self.net.parts} parts"
            )
        if self.weights is not None and self.weights.variant != self.variant:
            raise ValueError(
                f"EfficientNetLite({self.variant}): the weights {self.weights} are of "
                f"variant {self.weights.variant}; name the same"
            )

    @property
    def net(self) -> Lite:
        """The network itself."""
        return Lite(self.variant)

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.net.size if self.pixels is None else self.pixels

    @property
    def width(self) -> int:
        """Numbers that come out, `D`."""
        return efficientnet.WIDTH

    @property
    def trunk(self) -> str:
        """Says which parts are frozen, and with which weights."""
        name = None if self.weights is None else self.weights.name
        return f"{self.frozen} parts of EfficientNet-Lite{self.variant}, {name}"

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns what the frozen parts make of uint8 images, f16[B, h, w, C].

        Raises:
          ValueError: there are no frozen parts, or no weights that they start from.
        """
        if not self.frozen or self.weights is None:
            raise ValueError("maps are kept of frozen parts that start from weights")
        made = _map_maker(self.weights, self.weights.name, self.frozen)
        return np.asarray(made(jnp.asarray(images)))

    def init(self, key: PRNGKey) -> Params:
        """Returns the given weights, or such for training from scratch."""
        if self.weights is None:
            return self.net.init(key)
        return jax.tree.map(jnp.asarray, self.weights.load())

    def trained(self, params: Mapping[str, Params]) -> Params:
        """Returns the parameters behind the frozen parts."""
        return {name: params[name] for _, name in self.net.names(self.frozen)}

    def front(
        self, params: Mapping[str, Params], images: Float[Array, "B height width 3"]
    ) -> Float[Array, "B h w C"]:
        """Returns what the frozen parts make of pixels of about -1 to 1."""
        x = _scaled(images)
        if not self.frozen:
            return x
        kept = jax.lax.stop_gradient(dict(params))
        return jax.lax.stop_gradient(frozen_parts(self.net, kept, x, self.frozen))

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
          blocks: by number from 0; from the last frozen one on.

        Raises:
          ValueError: there is no such block.
        """
        net = self.net
        known = range(max(self.frozen - 2, 0), len(net.blocks))
        if not set(blocks) <= set(known):
            raise ValueError(
                f"blocks {blocks}: must be of {known.start} to {len(net.blocks) - 1}"
            )
        stops = (*(number + 2 for number in sorted(blocks)), net.parts)

        def pooled(x: Array) -> list[Array]:
            start, made = self.frozen, []
            for stop in stops:
                x = net.apply(params, x, start, stop)
                made.append(jnp.mean(x, axis=(1, 2), dtype=jnp.float32))
                start = stop
            return made

        return few_at_a_time(pooled, maps.astype(jnp.float32), FEW)


@dataclass(frozen=True)
class FrozenLite:
    """EfficientNet-Lite as others trained it, pooled; see `FrozenBranch`.

    Attributes:
      weights: for example `recjax.pretrained.ImageNet(2)`; they say the variant.
      blocks: by number from 0, whose pooled maps come besides that of the last map.
    """

    weights: Weights
    blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Checks the blocks.

        Raises:
          ValueError: there is no such block, or one is named twice.
        """
        known = range(len(Lite(self.weights.variant).blocks))
        if len(set(self.blocks) & set(known)) < len(self.blocks):
            raise ValueError(
                f"blocks {self.blocks}: must be of 0 to {known[-1]}, each once"
            )

    @property
    def size(self) -> int:
        """Pixels a side: those of the images that the weights were trained on."""
        return Lite(self.weights.variant).size

    def load(self) -> Params:
        """See `FrozenBranch`."""
        return self.weights.load()

    def levels(
        self, params: Params, images: Float[Array, "B size size 3"]
    ) -> list[Float[Array, "B D"]]:
        """Returns the pooled maps of the blocks in order, and of the last map."""
        variant = self.weights.variant
        # The early maps of an image at a time: see `frozen_parts`.
        first = min(self.blocks) + 2 if self.blocks else Lite(variant).parts
        branch = EfficientNetLite(variant, frozen=first)
        return branch.levels(params, branch.front(params, images), self.blocks)


@lru_cache(maxsize=2)
def _map_maker(weights: Weights, name: str, frozen: int) -> Callable[[Array], Array]:
    """Returns the compiled frozen parts: uint8 pixels to maps of half precision."""
    del name  # Of a file that is written anew it is another.
    net, params = Lite(weights.variant), jax.tree.map(jnp.asarray, weights.load())

    def maps(images: Array) -> Array:
        x = _scaled(images.astype(jnp.float32) / 127.5 - 1)
        return frozen_parts(net, params, x, frozen).astype(jnp.float16)

    return jax.jit(maps)


def _scaled(images: Array) -> Array:
    """The weights were trained on (x - 127) / 128, models here see x / 127.5 - 1."""
    return images * (127.5 / 128) + 0.5 / 128


def frozen_parts(net: Lite, params: Params, x: Array, stop: int) -> Array:
    """Runs the parts before `stop`, whose maps are large.

    Args:
      net: the network.
      params: of those parts at least.
      x: see `Lite.apply`.
      stop: part after the last one.
    """
    return few_at_a_time(lambda x: net.apply(params, x, 0, stop), x, 1)
