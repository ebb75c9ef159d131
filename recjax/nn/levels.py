"""Pooled maps of several blocks of a network, standardised and joined to one vector."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from recjax.nn import convolution as cnn
from recjax.typing import Array

LEAST = 0.1
"""Least spread of a number, as a share of the mean, where it is standardised."""


def measured(levels: list[Array]) -> dict[str, Array]:
    """Returns mean and scale of each number of pooled maps, as it lies in images.

    Args:
      levels: pooled maps of the same images, f32[n, C] each.
    """
    found = {}
    for i, values in enumerate(levels):
        spread = values.std(0)
        found[f"mean_{i}"] = values.mean(0)
        # A number that hardly moves in some images is no measure of others.
        found[f"scale_{i}"] = 1 / (spread + LEAST * spread.mean())
    return found


def standardised(levels: list[Array], known: Mapping[str, Array]) -> Array:
    """Returns pooled maps, standardised, each of length 1, as one vector of length 1.

    Args:
      levels: pooled maps of images, f32[n, C] each.
      known: what `measured` found in other images, or in these.
    """
    parts = [
        cnn.unit((x - known[f"mean_{i}"]) * known[f"scale_{i}"])
        for i, x in enumerate(levels)
    ]
    return cnn.unit(jnp.concatenate(parts, -1))
