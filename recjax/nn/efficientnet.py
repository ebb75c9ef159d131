"""EfficientNet-Lite0, 1 and 2: small convolutional networks, from pixels to 1280.

Tan & Le 2019 (EfficientNet), in the "Lite" form: ReLU6, no squeeze-and-excitation; stem
and head keep their width, the first and the last stage their depth, whatever the
variant. Each convolution carries a bias and no BatchNorm: statistics of trained weights
are folded into both (`recjax.pretrained.efficientnet`), so nothing differs between
training and serving, and the size of a batch does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from recjax import rng
from recjax.execution import block, product
from recjax.nn.convolution import conv
from recjax.nn.depthwise import depthwise
from recjax.typing import Array, Float, PRNGKey

WIDTH = 1280
"""Channels of the last feature map."""
STEM = 32
STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
"""(blocks, kernel, stride of the first block, expansion, channels) of each stage."""
VARIANTS = ((224, 1.0, 1.0), (240, 1.0, 1.1), (260, 1.1, 1.2))
"""(pixels a side of the images trained on, factor of widths, of depths) of each."""
MULTIPLE = 8
"""Widths are rounded to a multiple of it."""


@dataclass(frozen=True)
class MBConv:
    """Sizes of an inverted residual block.

    Attributes:
      kernel: side of the depthwise kernel.
      stride: of the depthwise convolution.
      inner: channels inside the block.
      inputs: channels that come in.
      outputs: channels that go out.
    """

    kernel: int
    stride: int
    inner: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Lite:
    """One of the networks: its sizes, and what it makes of images.

    Its parts are the stem, the blocks and the head.

    Attributes:
      variant: 0, 1 or 2.
    """

    variant: int = 0

    def __post_init__(self) -> None:
        """Checks the variant.

        Raises:
          ValueError: there is no such variant.
        """
        if self.variant not in range(len(VARIANTS)):
            raise ValueError(f"EfficientNet-Lite{self.variant}: there are 0, 1 and 2")

    @property
    def size(self) -> int:
        """Pixels a side of the images that the published weights were trained on."""
        return VARIANTS[self.variant][0]

    @cached_property
    def blocks(self) -> tuple[MBConv, ...]:
        """The blocks in order: 16 of variant 0, 21 of the others."""
        _, wider, deeper = VARIANTS[self.variant]
        made, width, ends = [], STEM, (0, len(STAGES) - 1)
        for stage, (count, kernel, stride, expansion, out) in enumerate(STAGES):
            out = _rounded(out * wider)
            count = count if stage in ends else math.ceil(count * deeper)
            for i in range(count):
                step = stride if i == 0 else 1
                made.append(MBConv(kernel, step, width * expansion, width, out))
                width = out
        return tuple(made)

    @property
    def parts(self) -> int:
        """How many parts there are; the head is the last one."""
        return len(self.blocks) + 2

    def init(
        self, key: PRNGKey, start: int = 0, stop: int | None = None
    ) -> dict[str, dict]:
        """Returns parameters of parts `start` to `stop - 1` for training from scratch.

        Args:
          key: random key.
          start: first part.
          stop: part after the last one; None for all.
        """
        shapes = jax.tree.map(
            lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
            {name: self.part_shapes(i) for i, name in self.names(start, stop)},
            is_leaf=lambda x: isinstance(x, tuple),
        )
        leaves, tree = jax.tree.flatten(shapes)
        keys = jax.random.split(rng.stream(key, "efficientnet"), len(leaves))
        return jax.tree.unflatten(tree, map(_start, keys, leaves))

    def names(self, start: int = 0, stop: int | None = None) -> list[tuple[int, str]]:
        """Returns (number, name) of parts: stem, block_00 and so on, head."""
        inner = (f"block_{i:02}" for i in range(len(self.blocks)))
        return list(enumerate(["stem", *inner, "head"]))[start:stop]

    def part_shapes(self, part: int) -> dict[str, dict[str, tuple[int, ...]]]:
        """Returns the shapes of the convolutions of a part.

        Kernels are [height, width, in, out], depthwise ones [height, width, channels].
        """
        if part == 0:
            return {"conv": {"kernel": (3, 3, 3, STEM), "bias": (STEM,)}}
        if part == self.parts - 1:
            last = self.blocks[-1].outputs
            return {"conv": {"kernel": (1, 1, last, WIDTH), "bias": (WIDTH,)}}
        block = self.blocks[part - 1]
        side, inner = block.kernel, block.inner
        shapes: dict[str, dict[str, tuple[int, ...]]] = {
            "depthwise": {"kernel": (side, side, inner), "bias": (inner,)},
            "project": {
                "kernel": (1, 1, inner, block.outputs),
                "bias": (block.outputs,),
            },
        }
        if inner != block.inputs:
            shapes["expand"] = {"kernel": (1, 1, block.inputs, inner), "bias": (inner,)}
        return shapes

    def apply(
        self,
        params: Mapping[str, Mapping],
        x: Float[Array, "B height width channels"],
        start: int = 0,
        stop: int | None = None,
    ) -> Float[Array, "B height width channels"]:
        """Runs parts `start` to `stop - 1`.

        Args:
          params: of those parts at least.
          x: pixels of 0 to 255 as (x - 127) / 128, as the published weights were
            trained on, or what part `start - 1` gave.
          start: first part.
          stop: part after the last one; None for all.
        """
        for part, name in self.names(start, stop):
            own = params[name]
            if part in (0, self.parts - 1):
                x = _relu6(_conv(own["conv"], x, 2 if part == 0 else 1))
            else:
                x = _block(own, x, self.blocks[part - 1])
            x = block(x)
        return x


def _block(params: Mapping, x: Array, shape: MBConv) -> Array:
    y = x
    if "expand" in params:
        y = _relu6(_conv(params["expand"], y))
    own = params["depthwise"]
    # A sum over places, which adds up in the type of its maps.
    y = depthwise(y.astype(jnp.float32), own["kernel"], shape.stride)
    y = _relu6(y + own["bias"])
    y = _conv(params["project"], y)
    return x + y if shape.stride == 1 and shape.inputs == shape.outputs else y


def _conv(params: Mapping, x: Array, stride: int = 1) -> Array:
    kernel = params["kernel"]
    if kernel.shape[:2] == (1, 1) and stride == 1:
        # A product of matrices, which every backend does at its full speed.
        made = product(x, kernel[0, 0])
        return made + params["bias"].astype(made.dtype)
    return conv(params, x, stride)


def _relu6(x: Array) -> Array:
    return jnp.clip(x, 0.0, 6.0)


def _start(key: PRNGKey, leaf: jax.ShapeDtypeStruct) -> Array:
    """He et al. 2015 by the inputs of a unit; biases are 0."""
    if len(leaf.shape) == 1:
        return jnp.zeros(leaf.shape)
    inputs = int(np.prod(leaf.shape[:-1] if len(leaf.shape) == 4 else leaf.shape[:2]))
    return jax.random.normal(key, leaf.shape) * np.sqrt(2 / inputs)


def _rounded(width: float) -> int:
    """The nearest multiple, the next one where that is over 10 % less."""
    near = max(MULTIPLE, int(width + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return near + MULTIPLE if near < 0.9 * width else near
