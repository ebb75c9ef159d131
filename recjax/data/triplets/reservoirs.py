"""Weighted reservoirs: a few images of each category out of a stream of any length.

Two kinds, both independent of the stream's order, both fed chunk by chunk.

* `fill`: each slot holds an image drawn in proportion to its weight among all that
  passed, independently of the other slots (with replacement). A uniform draw from the
  slots is *exactly* a weighted draw from the stream, at every capacity.
* `fill_distinct`: the m largest keys u^(1/w), Efraimidis & Spirakis 2006 (A-Res), as
  Wang et al. 2014 have it. The slots hold different images, so once they hold most of a
  category, a uniform draw from them is a uniform draw, whatever the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Reservoirs:
    """One reservoir a category, and what passed it.

    Attributes:
      image: images in the slots, -1 where nothing is yet [C, m].
      weight: their weights, 0 where nothing is [C, m].
      key: of A-Res, in log space so that small weights do not underflow [C, m].
      total: weight of all images that passed [C].
    """

    image: np.ndarray
    weight: np.ndarray
    key: np.ndarray
    total: np.ndarray

    @property
    def capacity(self) -> int:
        """Slots of each category `m`."""
        return self.image.shape[1]


def empty(categories: int, capacity: int) -> Reservoirs:
    """Returns reservoirs that hold nothing.

    Args:
      categories: `C`.
      capacity: slots of each, `m`.

    Raises:
      ValueError: no slots.
    """
    if capacity < 1:
        raise ValueError(f"capacity {capacity}: must be at least 1")
    shape = (categories, capacity)
    return Reservoirs(
        np.full(shape, -1, np.int64),
        np.zeros(shape),
        np.full(shape, -np.inf),
        np.zeros(categories),
    )


def fill(
    held: Reservoirs,
    image: np.ndarray,
    category: np.ndarray,
    weight: np.ndarray,
    generator: np.random.Generator,
) -> Reservoirs:
    """Lets a chunk of the stream pass; slots are drawn with replacement.

    Of total weight W before and w in the chunk, a slot takes something of the chunk
    with probability w / (W + w): by induction it holds image j with probability
    w_j / total after every chunk. Images of weight 0 are never held.

    Args:
      held: the reservoirs before.
      image: images of the chunk [E].
      category: their categories [E].
      weight: their weights, at least 0 [E].
      generator: source of randomness.
    """
    image, category, weight = _by_category(image, category, weight)
    if not len(image):
        return held
    touched, first = np.unique(category, return_index=True)
    upto = np.r_[0.0, np.cumsum(weight)]
    low, high = upto[first], upto[np.r_[first[1:], len(image)]]
    added = held.total[touched] + high - low
    shape = (len(touched), held.capacity)
    taken = generator.random(shape) * added[:, None] < (high - low)[:, None]
    row, slot = np.nonzero(taken)
    value = low[row] + generator.random(len(row)) * (high - low)[row]
    chosen = np.searchsorted(upto, value, side="right") - 1
    last = np.r_[first[1:], len(image)] - 1
    chosen = np.clip(chosen, first[row], last[row])
    new = replace(
        held,
        image=held.image.copy(),
        weight=held.weight.copy(),
        total=held.total.copy(),
    )
    new.total[touched] = added
    new.image[touched[row], slot] = image[chosen]
    new.weight[touched[row], slot] = weight[chosen]
    return new


def fill_distinct(
    held: Reservoirs,
    image: np.ndarray,
    category: np.ndarray,
    weight: np.ndarray,
    generator: np.random.Generator,
) -> Reservoirs:
    """Lets a chunk of the stream pass; slots hold the largest keys (A-Res).

    Arguments as of `fill`; an image must not pass twice.
    """
    image, category, weight = _by_category(image, category, weight)
    if not len(image):
        return held
    touched = np.unique(category)
    # log(u) is minus an exponential variable: no zero, no underflow.
    key = -generator.standard_exponential(len(image)) / weight
    total = held.total.copy()
    np.add.at(total, category, weight)
    category = np.concatenate([np.repeat(touched, held.capacity), category])
    key = np.concatenate([held.key[touched].ravel(), key])
    image = np.concatenate([held.image[touched].ravel(), image])
    weight = np.concatenate([held.weight[touched].ravel(), weight])
    order = np.lexsort((-key, category))
    starts = np.searchsorted(category[order], touched)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    kept = order[rank < held.capacity]
    new = Reservoirs(held.image.copy(), held.weight.copy(), held.key.copy(), total)
    shape = (len(touched), held.capacity)
    new.image[touched] = image[kept].reshape(shape)
    new.key[touched] = key[kept].reshape(shape)
    new.weight[touched] = weight[kept].reshape(shape)
    return new


def _by_category(
    image: np.ndarray, category: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = np.asarray(weight, np.float64)
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("a weight is negative, infinite or NaN")
    there = np.flatnonzero(weight > 0)
    order = there[np.argsort(np.asarray(category)[there], kind="stable")]
    return np.asarray(image)[order], np.asarray(category)[order], weight[order]
