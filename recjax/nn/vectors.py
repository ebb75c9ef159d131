"""Inputs of a tower that are vectors already: one of an entity, or one an image."""

from __future__ import annotations

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from recjax.features import present
from recjax.nn.inputs import NoRows
from recjax.typing import Array, Batch, Bool, Float, Int


class Vectors(NoRows, nn.Module):
    """Mean of the vectors of an entity, without parameters; none at all give zeros.

    The feature holds I vectors [B, I, D], or bytes u8[B, I, D / 8] whose bits are the
    numbers; beside it, as `present(name)`, stands which of them exist [B, I].

    Attributes:
      bits: the feature holds bytes.
    """

    bits: bool = False

    @nn.compact
    def __call__(
        self,
        name: str,
        features: Batch,
        rows: Mapping[str, tuple[Array, Array]],
        train: bool,
    ) -> Float[Array, "B D"]:
        """Returns one vector an entity."""
        del rows, train
        vectors = features[name]
        if self.bits:
            vectors = unpack_bits(vectors)
        return masked_mean(vectors, features[present(name)])


def masked_mean(
    vectors: Float[Array, "B I D"], mask: Bool[Array, "B I"]
) -> Float[Array, "B D"]:
    """Returns the mean of the vectors that exist; what the others hold is not read."""
    held = jnp.where(mask[..., None], vectors.astype(jnp.float32), 0)
    count = jnp.maximum(jnp.sum(mask, 1, keepdims=True), 1)
    return jnp.sum(held, 1) / count


def unpack_bits(codes: Int[Array, "... W"]) -> Float[Array, "... 8W"]:
    """Returns the bits of bytes as 0 and 1, most significant first."""
    shifts = np.arange(7, -1, -1, dtype=np.uint8)
    bits = (jnp.asarray(codes)[..., None] >> shifts) & 1
    return bits.reshape(*codes.shape[:-1], -1).astype(jnp.float32)
