"""Losses on triplets and on the labels of a batch; distances are squared Euclidean.

`TripletHinge` is the paper's (Wang et al. 2014, equations 1 and 3): one hinge a
triplet, D(x, y) = |f(x) - f(y)|^2, so that easy triplets never cancel hard ones.
Embeddings have length 1: D = 2 - 2 cos lies in 0..4, and a gap well below 2 can be met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from recjax.losses.base import LossValue, Weight
from recjax.outputs import Graded
from recjax.typing import Array, Float


@dataclass(frozen=True)
class TripletHinge:
    """max(0, gap + D(query, positive) - D(query, negative)) of each triplet.

    Attributes:
      gap: g; the paper gives no value.
      weight: factor of this loss in the total.
    """

    gap: float = 0.2
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        """Checks the gap.

        Raises:
          ValueError: no triplet of unit vectors can be that far apart.
        """
        if not 0 < self.gap < 4:
            raise ValueError(f"gap = {self.gap}: must be in 0..4")

    def __call__(self, outputs: Graded) -> LossValue:
        """Returns the hinge of every triplet."""
        query, positive, negative = jnp.unstack(outputs.vector, axis=1)
        near, far = _squared(query, positive), _squared(query, negative)
        short = self.gap + near - far
        monitors = {
            "active": (short > 0).astype(jnp.float32),
            "right": (near < far).astype(jnp.float32),
            "positive_distance": near,
            "negative_distance": far,
            **spread(outputs.vector, self.gap, short),
        }
        return LossValue(jnp.maximum(short, 0.0), outputs.weight, monitors)


def spread(
    vector: Float[Array, "B 3 D"], gap: float, short: Float[Array, " B"]
) -> Mapping[str, Float[Array, " B"]]:
    """Returns signs of a collapse, where all images have nearly one vector.

    `pair_distance` is the mean squared distance of any two images of the batch;
    `collapsed` is 1 where that is below a hundredth of the gap and the hinge sticks at
    the gap, within a hundredth of it.
    """
    mean = jnp.mean(vector, axis=(0, 1))
    apart = 2 * (jnp.mean(jnp.sum(vector * vector, -1)) - jnp.sum(mean * mean))
    stuck = jnp.abs(jnp.mean(jnp.maximum(short, 0)) - gap) < 0.01 * gap
    collapsed = (stuck & (apart < 0.01 * gap)).astype(jnp.float32)
    ones = jnp.ones_like(short)
    return {"pair_distance": apart * ones, "collapsed": collapsed * ones}


def _squared(x: Array, y: Array) -> Array:
    return jnp.sum(jnp.square(x - y), -1)


@dataclass(frozen=True)
class Softmax:
    """Cross-entropy of the classes of one level, over scaled cosines.

    The paper's pretraining; with cosines it is also a loss of proxies, one a class
    (Zhai & Wu 2019, "Classification is a strong baseline for deep metric learning").

    Attributes:
      level: of the labels, 0 is the coarsest.
      scale: inverse temperature of the cosines.
      smoothing: share of the target that is spread over all classes.
      margin: taken from the cosine of the right class (Wang et al. 2018, CosFace).
      weight: factor of this loss in the total.
    """

    level: int = -1
    scale: float = 16.0
    smoothing: float = 0.0
    margin: float = 0.0
    weight: Weight = 1.0

    def __call__(self, outputs: Graded) -> LossValue:
        """Returns the mean cross-entropy of the three images of every triplet."""
        cosine, label = outputs.logits[self.level], outputs.label[..., self.level]
        target = jax.nn.one_hot(label, cosine.shape[-1])
        log_p = jax.nn.log_softmax(self.scale * (cosine - self.margin * target))
        aim = (1 - self.smoothing) * target + self.smoothing / cosine.shape[-1]
        right = jnp.argmax(cosine, -1) == label
        value = -jnp.sum(aim * log_p, -1).mean(1)
        return LossValue(value, outputs.weight, {"accuracy": right.mean(1)})
