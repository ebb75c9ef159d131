"""Dropout that draws one random byte a number."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from recjax.typing import Array, Float


class Dropout(nn.Module):
    """Zeroes numbers at random and scales up the rest, as `flax.linen.Dropout` does.

    A random word serves four numbers: on a CPU the words cost more than the layers that
    they are drawn for. The rate is rounded to a 256th, and the scale is that of the
    rounded rate, so the mean is exact.

    Attributes:
      rate: share of numbers that are zeroed.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, ...], train: bool) -> Float[Array, ...]:
        """Returns `x` as it is outside of training."""
        dropped = round(256 * self.rate)
        if not train or not dropped:
            return x
        shape = (*x.shape[:-1], -(-x.shape[-1] // 4))
        words = jax.random.bits(self.make_rng("dropout"), shape, jnp.uint32)
        bytes_ = jax.lax.bitcast_convert_type(words, jnp.uint8)
        held = bytes_.reshape(*x.shape[:-1], -1)[..., : x.shape[-1]] >= dropped
        return jnp.where(held, x * (256 / (256 - dropped)), 0)
