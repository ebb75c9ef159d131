"""Losses that find their own triplets or pairs among the images of a batch.

All images of the batch are compared, [M, M] with M = 3 B. Images of one class are
positives, of different classes negatives, and pictures of the same image do not count.
On a mesh the comparison is over the whole batch, so the gradient is that of one device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from recjax.losses.base import LossValue, Weight
from recjax.outputs import Graded
from recjax.typing import Array, Bool, Float

FAR = 1e9


class MinedPairs(NamedTuple):
    """All pairs of images of a batch.

    Attributes:
      distance: squared Euclidean [M, M].
      positive: pairs of one class [M, M].
      negative: pairs of different classes [M, M].
      triplets: rows of the batch `B`; M = 3 B.
      weight: weight of each image's triplet [M].
    """

    distance: Float[Array, "M M"]
    positive: Bool[Array, "M M"]
    negative: Bool[Array, "M M"]
    triplets: int
    weight: Float[Array, " M"]


def pairs(outputs: Graded, level: int) -> MinedPairs:
    """Compares all images of a batch.

    Args:
      outputs: of the model.
      level: of the labels, 0 is the coarsest; it decides what a class is.
    """
    count = outputs.vector.shape[0] * 3
    x = outputs.vector.reshape(count, -1)
    label = outputs.label[..., level].reshape(count)
    image = outputs.image.reshape(count)
    weight = jnp.repeat(outputs.weight, 3)
    same = label[:, None] == label[None]
    other = image[:, None] != image[None]
    square = jnp.sum(x * x, -1)
    distance = square[:, None] + square[None] - 2 * x @ x.T
    counts = (weight > 0)[None]
    return MinedPairs(
        jnp.maximum(distance, 0.0),
        same & other & counts,
        ~same & counts,
        outputs.vector.shape[0],
        weight,
    )


@dataclass(frozen=True)
class MinedHinge:
    """The hinge with negatives that are chosen in the batch.

    * "hardest": each image with its farthest positive and nearest negative (Hermans et
      al. 2017, batch-hard).
    * "semi": every positive pair with its nearest negative that is farther than the
      positive, else the farthest one (Schroff et al. 2015).
    * "distance": every positive pair with the expectation over negatives drawn in
      inverse proportion to the density of their distance (Wu et al. 2017, distance
      weighted sampling), so without its noise.

    Attributes:
      how: of choosing.
      gap: g.
      level: of the labels.
      weight: factor of this loss in the total.
    """

    how: Literal["hardest", "semi", "distance"] = "semi"
    gap: float = 0.2
    level: int = -1
    weight: Weight = 1.0

    def __call__(self, outputs: Graded) -> LossValue:
        """Returns the mean hinge of the images of every triplet."""
        known = pairs(outputs, self.level)
        near, negative = known.distance, known.negative
        if self.how == "hardest":
            own = jnp.max(jnp.where(known.positive, near, -FAR), 1)
            other = jnp.min(jnp.where(negative, near, FAR), 1)
            short = jnp.maximum(self.gap + own - other, 0)
            found = known.positive.any(1) & negative.any(1)
            return _by_triplet(jnp.where(found, short, 0), found, known)
        if self.how == "semi":
            short = self.gap + near - _semi_hard(near, negative)
            hinge = jnp.maximum(short, 0)
        else:
            chance = _inverse_density(near, negative, outputs.vector.shape[-1])
            gaps = self.gap + near[:, :, None] - near[:, None, :]
            hinge = jnp.einsum("apn,an->ap", jnp.maximum(gaps, 0), chance)
        used = known.positive & negative.any(1)[:, None]
        total = jnp.sum(jnp.where(used, hinge, 0), 1)
        return _by_triplet(total / jnp.maximum(used.sum(1), 1), used.any(1), known)


@dataclass(frozen=True)
class MultiSimilarity:
    """Multi-similarity loss with its mining of pairs (Wang et al. 2019).

    Attributes:
      alpha: sharpness on positives.
      beta: sharpness on negatives.
      base: cosine that separates both.
      slack: of mining: negatives nearer than the farthest positive less this, and
        positives farther than the nearest negative plus this, count.
      level: of the labels.
      weight: factor of this loss in the total.
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    slack: float = 0.1
    level: int = -1
    weight: Weight = 1.0

    def __call__(self, outputs: Graded) -> LossValue:
        """Returns the mean loss of the images of every triplet."""
        known = pairs(outputs, self.level)
        cosine = 1 - known.distance / 2
        hardest = jnp.min(jnp.where(known.positive, cosine, FAR), 1, keepdims=True)
        nearest = jnp.max(jnp.where(known.negative, cosine, -FAR), 1, keepdims=True)
        negative = known.negative & (cosine + self.slack > hardest)
        positive = known.positive & (cosine - self.slack < nearest)
        pull = _log1p_sum(-self.alpha * (cosine - self.base), positive) / self.alpha
        push = _log1p_sum(self.beta * (cosine - self.base), negative) / self.beta
        found = positive.any(1) | negative.any(1)
        return _by_triplet(jnp.where(found, pull + push, 0), found, known)


@dataclass(frozen=True)
class InBatchSoftmax:
    """Cross-entropy of finding each positive among all images of the batch.

    Also known as supervised contrastive (Khosla et al. 2020, L_out).

    Attributes:
      scale: inverse temperature of the cosines.
      level: of the labels.
      weight: factor of this loss in the total.
    """

    scale: float = 16.0
    level: int = -1
    weight: Weight = 1.0

    def __call__(self, outputs: Graded) -> LossValue:
        """Returns the mean cross-entropy of the images of every triplet."""
        known = pairs(outputs, self.level)
        logits = self.scale * (1 - known.distance / 2)
        logits = jnp.where(known.positive | known.negative, logits, -FAR)
        log_p = jax.nn.log_softmax(logits)
        total = -jnp.sum(jnp.where(known.positive, log_p, 0), 1)
        found = known.positive.any(1)
        return _by_triplet(total / jnp.maximum(known.positive.sum(1), 1), found, known)


def _semi_hard(near: Array, negative: Array) -> Array:
    """Returns for each (image, positive) the distance of its semi-hard negative."""
    farther = negative[:, None, :] & (near[:, None, :] > near[:, :, None])
    nearest = jnp.min(jnp.where(farther, near[:, None, :], FAR), 2)
    farthest = jnp.max(jnp.where(negative, near, -FAR), 1)[:, None]
    return jnp.where(farther.any(2), nearest, farthest)


def _inverse_density(near: Array, negative: Array, width: int) -> Array:
    """Returns chances of negatives [M, M]; distances below 0.5 count as 0.5."""
    squared = jnp.clip(jax.lax.stop_gradient(near), 0.25, 4 - 0.25)
    # On the unit sphere, q(d) ~ d^(D-2) (1 - d^2 / 4)^((D-3) / 2).
    log_density = (width - 2) / 2 * jnp.log(squared) + (width - 3) / 2 * jnp.log1p(
        -squared / 4
    )
    logits = jnp.where(negative, -log_density, -FAR)
    # Beyond 1.4 there is no loss to speak of, and 1 / q would explode there.
    logits = jnp.where(squared < 1.4**2, logits, jnp.minimum(logits, -FAR / 2))
    return jnp.where(negative, jax.nn.softmax(logits), 0)


def _log1p_sum(logits: Array, used: Array) -> Array:
    """Returns log(1 + sum of exp over the used ones), stably."""
    logits = jnp.where(used, logits, -FAR)
    zero = jnp.zeros((logits.shape[0], 1), logits.dtype)
    return jax.nn.logsumexp(jnp.concatenate([zero, logits], 1), 1)


def _by_triplet(value: Array, found: Array, known: MinedPairs) -> LossValue:
    """Returns the mean over the images that found a pair, a value a triplet."""
    shape = (known.triplets, 3)
    counted = found.reshape(shape) * known.weight.reshape(shape)
    weight = counted.sum(1)
    total = (value.reshape(shape) * counted).sum(1)
    mean = total / jnp.maximum(weight, 1e-12)
    return LossValue(mean, weight / 3, {"found": found.reshape(shape).mean(1)})
