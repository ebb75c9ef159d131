"""What convolutional networks share; their maps are [B, height, width, channels]."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from recjax.execution import dtype
from recjax.typing import Array, Float, Params, PRNGKey


def init_layer(key: PRNGKey, shape: tuple[int, ...], gain: float = 2.0) -> Params:
    """Returns a kernel of variance gain / inputs of a unit, and a bias of 0.

    A gain of 2 is that of He et al. 2015, for layers followed by a ReLU.

    Args:
      key: random key.
      shape: of the kernel: [side, side, inputs / groups, outputs] or [inputs, outputs].
      gain: see above.
    """
    kernel = jax.random.normal(key, shape) * np.sqrt(gain / np.prod(shape[:-1]))
    return {"kernel": kernel, "bias": jnp.zeros(shape[-1])}


def conv(
    params: Params,
    x: Float[Array, "B height width channels"],
    stride: int = 1,
    groups: int = 1,
) -> Float[Array, "B out_height out_width out"]:
    """Convolves with SAME padding and adds the bias; the kernel says which shapes."""
    *sides, _, outputs = params["kernel"].shape
    layer = nn.Conv(outputs, sides, stride, feature_group_count=groups, dtype=dtype())
    out: Any = layer.apply({"params": params}, x)
    return out


def dropout(
    key: PRNGKey | None, x: Float[Array, ...], rate: float
) -> Float[Array, ...]:
    """Drops values at `rate` and scales up the rest; without a key it does nothing."""
    out: Any = nn.Dropout(rate).apply({}, x, deterministic=key is None, rng=key)
    return out


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
    squares = jnp.square(x.astype(jnp.float32))
    half = size // 2
    padded = jnp.pad(squares, [(0, 0)] * (x.ndim - 1) + [(half, half)])
    near = sum(padded[..., i : i + x.shape[-1]] for i in range(size))
    return (x / (bias + alpha * near) ** beta).astype(x.dtype)


def unit(x: Float[Array, "... D"], eps: float = 1e-12) -> Float[Array, "... D"]:
    """Returns x / |x|; zeros stay zeros, and their gradient is finite."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), eps))
