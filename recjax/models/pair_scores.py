"""What features of pairs of a user and an item add to a score."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from recjax.typing import Array, Batch

START = 0.1
"""What a feature of a pair counts before training."""


def pair_start(width: int, size: int) -> dict[str, Array]:
    """Returns the parameters that weigh `size` features by a user's vector."""
    return {"kernel": jnp.zeros((width, size)), "bias": jnp.full(size, START)}


def pair_weights(dense: Any, user: Array) -> Array:
    """Returns what each feature of a pair counts for a user [..., F]."""
    return user @ dense["kernel"] + dense["bias"]


def with_pairs(scores: Array, weights: Array, batch: Batch) -> Array:
    """Returns the scores of drawn items [P, M] with what the pairs' features add."""
    at = batch["pair_at"]
    weight = weights[at // scores.shape[1], batch["pair_feature"]]
    more = weight * batch["pair_value"]
    return scores.reshape(-1).at[at].add(more).reshape(scores.shape)
