"""Multi-layer perceptron."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from recjax.execution import block, dtype, product
from recjax.typing import Array, Float


class SideBySide(nn.Module):
    """A dense layer over vectors laid side by side, a product each.

    So no gradient is computed of those that depend on no parameter: in a tower of dense
    features these are most of the first layer's inputs, and a third of its cost.

    Attributes:
      width: output width.
    """

    width: int

    @nn.compact
    def __call__(self, parts: tuple[Float[Array, "B D"], ...]) -> Float[Array, "B W"]:
        """Maps each row of the vectors, in their order."""
        ends = np.cumsum([part.shape[-1] for part in parts])
        shape = (int(ends[-1]), self.width)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        own = jnp.split(kernel, ends[:-1])
        made = sum(product(x, k) for x, k in zip(parts, own, strict=True))
        return made + bias.astype(dtype())


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
    def __call__(
        self, parts: tuple[Float[Array, "B D"], ...], train: bool
    ) -> Float[Array, "B W"]:
        """Maps each row of some vectors laid side by side on its own, to float32."""
        first, *others = (*self.hidden, self.width)
        x = SideBySide(first, name="Dense_0")(parts)
        for layer, width in enumerate(others, 1):
            x = nn.LayerNorm()(nn.relu(block(x)))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
            x = nn.Dense(width, dtype=dtype(), name=f"Dense_{layer}")(x)
        return x.astype(jnp.float32)


def unit(x: Float[Array, "B D"], eps: float = 1e-12) -> Float[Array, "B D"]:
    """Scales rows to length 1, in float32; a zero row stays zero."""
    x = x.astype(jnp.float32)
    return x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), eps))
