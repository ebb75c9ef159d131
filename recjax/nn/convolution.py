"""Plain convolutions, pooling and local response normalisation on NHWC maps."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from recjax.typing import Array, Float, Params, PRNGKey

Padding = Literal["SAME", "VALID"]
LAYOUT = ("NHWC", "HWIO", "NHWC")


def init_conv(
    key: PRNGKey, side: int, inputs: int, outputs: int, groups: int = 1
) -> Params:
    """Returns a kernel [side, side, inputs / groups, outputs] and a bias of 0.

    Scale: He et al. 2015, for layers followed by a ReLU.

    Args:
      key: random key.
      side: of the kernel.
      inputs: channels that come in.
      outputs: channels that go out.
      groups: groups of channels that do not see each other.
    """
    shape = (side, side, inputs // groups, outputs)
    kernel = jax.random.normal(key, shape) * np.sqrt(2 / np.prod(shape[:3]))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def conv(
    params: Params,
    x: Float[Array, "B height width channels"],
    stride: int = 1,
    padding: Padding = "SAME",
    groups: int = 1,
) -> Float[Array, "B out_height out_width out"]:
    """Convolves and adds the bias."""
    out = jax.lax.conv_general_dilated(
        x,
        params["kernel"],
        (stride, stride),
        padding,
        dimension_numbers=LAYOUT,
        feature_group_count=groups,
    )
    return out + params["bias"]


def init_dense(key: PRNGKey, inputs: int, outputs: int, gain: float = 2.0) -> Params:
    """Returns a kernel of variance gain / inputs and a bias of 0."""
    kernel = jax.random.normal(key, (inputs, outputs)) * np.sqrt(gain / inputs)
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def dense(params: Params, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
    """Returns x W + b."""
    return x @ params["kernel"] + params["bias"]


def max_pool(
    x: Float[Array, "B height width channels"],
    side: int,
    stride: int,
    padding: Padding = "SAME",
) -> Float[Array, "B out_height out_width channels"]:
    """Returns the largest value of each window."""
    window, strides = (1, side, side, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)


def shrink(
    x: Float[Array, "B height width channels"], factor: int
) -> Float[Array, "B out_height out_width channels"]:
    """Returns means of factor x factor places: 225 by 4 gives 57, by 8 gives 29.

    The paper says "subsample" and not how; a mean keeps fine patterns from turning
    into coarse ones. Windows that stick out at an edge are means of what is inside.
    """
    window = (1, factor, factor, 1)
    add = jax.lax.add
    total = jax.lax.reduce_window(x, 0.0, add, window, window, "SAME")
    ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
    return total / jax.lax.reduce_window(ones, 0.0, add, window, window, "SAME")


def response_norm(
    x: Float[Array, "... channels"],
    size: int = 5,
    bias: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
) -> Float[Array, "... channels"]:
    """Divides by (bias + alpha * sum of squares of `size` neighbour channels)^beta.

    Krizhevsky et al. 2012, section 3.3, with their constants.
    """
    squares = jnp.square(x)
    half = size // 2
    padded = jnp.pad(squares, [(0, 0)] * (x.ndim - 1) + [(half, half)])
    near = sum(padded[..., i : i + x.shape[-1]] for i in range(size))
    return x / (bias + alpha * near) ** beta


def unit(x: Float[Array, "... D"], eps: float = 1e-12) -> Float[Array, "... D"]:
    """Returns x / |x|; zeros stay zeros, and their gradient is finite."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), eps))


def dropout(
    key: PRNGKey | None, x: Float[Array, ...], rate: float
) -> Float[Array, ...]:
    """Drops values at `rate` and scales up the rest; without a key it does nothing."""
    if key is None or not rate:
        return x
    kept = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(kept, x / (1 - rate), 0)
