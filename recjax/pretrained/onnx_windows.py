"""Operators of ONNX whose window moves over maps: convolutions and pools."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax

from recjax.errors import UserError
from recjax.pretrained.onnx_graph import Given, Node
from recjax.typing import Array


def conv(node: Node, given: Given) -> Array:
    """Convolves maps [1, channels, height, width]; see "Conv"."""
    x, kernel, bias = (*given, None)[:3]
    if x.ndim != 4 or kernel.ndim != 4:
        raise UserError(f"{node}: only maps of two dimensions can be convolved")
    window = Window.of(node, x, kernel.shape[2:])
    groups = node.attributes.get("group", 1)
    plain = Window((1, 1), (1, 1), window.dilations, ((0, 0), (0, 0)))
    if kernel.shape[:2] == (groups, 1) and x.shape[1] == groups:
        made = _depthwise(x, kernel[:, 0], window)
    elif groups == 1 and window == plain:
        # A product of matrices, which every backend does at its full speed.
        made = jnp.einsum("bchw,oc->bohw", x, kernel[:, :, 0, 0])
    else:
        made = lax.conv_general_dilated(
            x,
            kernel,
            window.strides,
            window.pads,
            rhs_dilation=window.dilations,
            feature_group_count=groups,
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
        )
    return made if bias is None else made + bias[:, None, None]


def _depthwise(x: Array, kernel: Array, window: Window) -> Array:
    """Convolves each channel by itself: a sum over places is quicker on CPUs."""
    x = jnp.pad(x, ((0, 0), (0, 0), *window.pads))
    height, width = (
        (size - (k - 1) * d - 1) // s + 1
        for size, k, d, s in zip(
            x.shape[2:], window.sides, window.dilations, window.strides, strict=True
        )
    )
    (down, right), made = window.strides, jnp.zeros(())
    for i in range(window.sides[0]):
        for j in range(window.sides[1]):
            top, left = i * window.dilations[0], j * window.dilations[1]
            part = x[:, :, top::down, left::right][:, :, :height, :width]
            made = made + part * kernel[:, i, j, None, None]
    return made


def max_pool(node: Node, given: Given) -> Array:
    """Returns the largest number of each window; see "MaxPool"."""
    if node.attributes.get("storage_order", 0):
        raise UserError(f"{node}: storage_order = 1 is not supported")
    return Window.of(node, given[0]).reduce(given[0], -jnp.inf, lax.max)


def average_pool(node: Node, given: Given) -> Array:
    """Returns the mean of each window; see "AveragePool"."""
    x = given[0]
    window = Window.of(node, x)
    total = window.reduce(x, 0.0, lax.add)
    if node.attributes.get("count_include_pad", 0):
        return total / math.prod(window.sides)
    return total / window.reduce(jnp.ones_like(x), 0.0, lax.add)


@dataclass(frozen=True)
class Window:
    """Where a window stands on maps; all are (height, width).

    Attributes:
      sides: its places.
      strides: its steps.
      dilations: the steps between its places.
      pads: what is added to a map (before, after).
    """

    sides: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, node: Node, x: Array, sides: Sequence[int] | None = None) -> Window:
        """Returns the window of a node on maps.

        Args:
          node: a convolution or a pool.
          x: the maps.
          sides: of its kernel; None for what the attribute says.

        Raises:
          UserError: it is padded in a way that is not known.
        """
        given, sizes = node.attributes, x.shape[2:]
        sides = tuple(sides or given["kernel_shape"])
        strides, dilations = (
            tuple(given.get(name, (1, 1))) for name in ("strides", "dilations")
        )
        reach = [(k - 1) * d + 1 for k, d in zip(sides, dilations, strict=True)]
        each = list(zip(sizes, reach, strides, strict=True))
        pads, auto = given.get("pads", (0,) * 4), given.get("auto_pad", "NOTSET")
        if auto == "NOTSET":
            around = tuple(zip(pads[:2], pads[2:], strict=True))
        elif auto == "VALID":
            around = ((0, 0), (0, 0))
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            around = tuple(_same(*one, auto == "SAME_UPPER") for one in each)
        else:
            raise UserError(f"{node}: auto_pad = {auto!r} is not supported")
        left = [
            (size + sum(pad) - covers) % stride
            for (size, covers, stride), pad in zip(each, around, strict=True)
        ]
        if given.get("ceil_mode", 0) and any(left):
            raise UserError(
                f"{node}: ceil_mode = 1 is not supported where the window does not "
                f"divide the map ({sizes[0]} x {sizes[1]})"
            )
        return cls(sides, strides, dilations, around)

    def reduce(self, x: Array, start: float, function: Callable) -> Array:
        """Reduces the numbers in each window by a function, from `start` on."""
        return lax.reduce_window(
            x,
            start,
            function,
            (1, 1, *self.sides),
            (1, 1, *self.strides),
            ((0, 0), (0, 0), *self.pads),
            window_dilation=(1, 1, *self.dilations),
        )


def _same(size: int, covers: int, stride: int, after: bool) -> tuple[int, int]:
    """Returns the pads that leave 1 / stride of a map; what is odd goes after it."""
    need = max((-(-size // stride) - 1) * stride + covers - size, 0)
    less, more = need // 2, need - need // 2
    return (less, more) if after else (more, less)
