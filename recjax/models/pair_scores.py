"""What features of pairs of a user and an item add to a score."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from recjax.outputs import PairFeatures
from recjax.typing import Array, Batch

START = 0.1
"""What a feature of a pair counts before training."""


def pair_start(width: int, size: int) -> dict[str, Array]:
    """Returns the parameters that weigh `size` features by a user's vector."""
    return {"kernel": jnp.zeros((width, size)), "bias": jnp.full(size, START)}


def pair_weights(dense: Any, user: Array) -> Array:
    """Returns what each feature of a pair counts for a user [..., F]."""
    return user @ dense["kernel"] + dense["bias"]


def pair_features(weights: Array, batch: Batch) -> PairFeatures:
    """Returns what the features of pairs add to the scores of drawn items."""
    names = ("pair_at", "pair_feature", "pair_value")
    return PairFeatures(weights, *(batch[name] for name in names))
