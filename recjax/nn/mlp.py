"""Multi-layer perceptron."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from recjax.typing import Array, Float


class Mlp(nn.Module):
    """Dense layers, each followed by ReLU and LayerNorm, and a linear output.

    Attributes:
      hidden: widths of the hidden layers; empty for one linear map.
      width: output width.
      dropout: rate after each hidden layer.
    """

    hidden: tuple[int, ...]
    width: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "B D"], train: bool) -> Float[Array, "B W"]:
        """Maps each row of `x` on its own."""
        for width in self.hidden:
            x = nn.LayerNorm()(nn.relu(nn.Dense(width)(x)))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.width)(x)


def unit(x: Float[Array, "B D"], eps: float = 1e-12) -> Float[Array, "B D"]:
    """Scales rows to length 1, in float32; a zero row stays zero."""
    x = x.astype(jnp.float32)
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), eps))
