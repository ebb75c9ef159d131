"""Outputs of a model of triplets, from plain arrays."""

import jax.numpy as jnp

from recjax.outputs import Graded


def batch_of(vector, label, image=None, weight=None, logits=()):
    """Returns outputs of vectors [B, 3, D]; labels and images are flat or [B, 3]."""
    triplets = len(vector)
    image = range(3 * triplets) if image is None else image
    return Graded(
        vector=jnp.asarray(vector),
        relevance=jnp.ones((triplets, 2)),
        label=jnp.asarray(label).reshape(triplets, 3, -1),
        image=jnp.asarray(image).reshape(triplets, 3),
        logits=logits,
        weight=jnp.ones(triplets) if weight is None else jnp.asarray(weight),
    )
