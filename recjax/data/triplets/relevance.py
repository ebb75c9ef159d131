"""Graded relevance r_ij of images to each other, within categories.

Wang et al. 2014 (Deep Ranking, section 5.1): images come in categories (there: the text
query that found them), r_ij says how alike two images of one category are, and across
categories it is 0. Images that nothing tells apart form a *group*: with class labels a
group is a class, with relevance of single pairs it is one image. Relevance is kept
between groups, so that a million images of a thousand classes need a small matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax.errors import UserError


@dataclass(frozen=True)
class Relevance:
    """Relevance between the groups of each category.

    Attributes:
      group: group of each image [N]; every group has an image.
      category: category of each group [G], in rising order from 0 without gaps.
      blocks: for each category the relevance between its groups, rows are queries,
        [G_c, G_c], at least 0. The diagonal is the relevance of different images of
        one group.
    """

    group: np.ndarray
    category: np.ndarray
    blocks: Sequence[np.ndarray]

    def __post_init__(self) -> None:
        """Checks that the arrays fit each other.

        Raises:
          ValueError: they do not, or a relevance is negative, infinite or NaN.
        """
        groups, sizes = len(self.category), np.bincount(self.category)
        if len(np.unique(self.group)) != groups or self.group.min(initial=0) < 0:
            raise ValueError(f"group names {self.group.max()} or none of {groups}")
        if (np.diff(self.category) < 0).any() or len(sizes) != len(self.blocks):
            raise ValueError("categories must rise from 0, one block each")
        for c, (block, size) in enumerate(zip(self.blocks, sizes, strict=True)):
            if block.shape != (size, size) or not size:
                raise ValueError(f"block {c} is {block.shape}, wanted {size} x {size}")
            if not (np.isfinite(block) & (block >= 0)).all():
                raise ValueError(f"block {c} has a relevance below 0 or not finite")

    def __len__(self) -> int:
        """Returns the number of images `N`."""
        return len(self.group)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Images of each group [G]."""
        return np.bincount(self.group, minlength=len(self.category))

    @cached_property
    def members(self) -> np.ndarray:
        """All images, sorted by group, so by category too [N]."""
        return np.argsort(self.group, kind="stable").astype(np.int32)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each group starts in `members` [G + 1]."""
        return np.r_[0, np.cumsum(self.sizes)]

    @cached_property
    def image_category(self) -> np.ndarray:
        """Category of each image [N]."""
        return self.category[self.group]

    @cached_property
    def first_group(self) -> np.ndarray:
        """First group of each category [C + 1]."""
        return np.searchsorted(self.category, np.arange(len(self.blocks) + 1))

    @cached_property
    def total(self) -> np.ndarray:
        """Total relevance r_i of an image of each group, itself left out [G]."""
        parts = []
        for c, block in enumerate(self.blocks):
            size = self.sizes[self.first_group[c] : self.first_group[c + 1]]
            wide = block.astype(np.float64)
            parts.append(wide @ size - np.diag(wide))
        return np.maximum(np.concatenate(parts), 0)

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Returns r_ij of images, 0 across categories; both arrays broadcast.

        An image's relevance to itself is not defined; it counts as its group's.
        """
        first, second = np.broadcast_arrays(self.group[first], self.group[second])
        category = self.category[first]
        same = category == self.category[second]
        base, width = self.first_group[category], np.diff(self.first_group)[category]
        position = self._block_start[category] + (first - base) * width + second - base
        return np.where(same, self._flat[np.where(same, position, 0)], np.float32(0))

    @cached_property
    def _flat(self) -> np.ndarray:
        return np.concatenate([block.ravel() for block in self.blocks])

    @cached_property
    def _block_start(self) -> np.ndarray:
        return np.r_[0, np.cumsum([block.size for block in self.blocks])]


def from_classes(labels: np.ndarray, grades: Sequence[float]) -> Relevance:
    """Returns relevance from a hierarchy of classes.

    Args:
      labels: class of each image on each level, from coarse to fine [N, levels]; the
        first level is the category.
      grades: relevance of two images that share this level and no finer one, a number
        a level, rising.

    Raises:
      UserError: as many grades as levels are needed, rising and at least 0.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.shape[1] != len(grades):
        raise UserError(
            f"{len(grades)} grades of relevance for labels of shape "
            f"{list(labels.shape)}: give one grade a level, from coarse to fine"
        )
    if (np.diff(grades) < 0).any() or not grades[0] >= 0:
        raise UserError(f"grades {tuple(grades)}: must rise, from 0 or above")
    rows, group = np.unique(labels, axis=0, return_inverse=True)
    category = np.unique(rows[:, 0], return_inverse=True)[1]
    blocks = []
    for c in range(category.max(initial=-1) + 1):
        own = rows[category == c]
        shared = (own[:, None] == own[None]).cumprod(2).sum(2)
        blocks.append(np.asarray(grades, np.float32)[shared - 1])
    return Relevance(group.ravel(), category, blocks)


def from_blocks(category: np.ndarray, blocks: Sequence[np.ndarray]) -> Relevance:
    """Returns relevance where each image is a group of its own.

    Args:
      category: category of each image, numbers from 0 without gaps [N].
      blocks: relevance between the images of each category, in the images' order; the
        diagonal does not matter.
    """
    order = np.argsort(category, kind="stable")
    group = np.empty(len(order), np.int64)
    group[order] = np.arange(len(order))
    return Relevance(group, np.asarray(category)[order], blocks)


def from_pairs(
    category: np.ndarray, first: np.ndarray, second: np.ndarray, value: np.ndarray
) -> Relevance:
    """Returns the relevance of listed pairs of images; that of all others is 0.

    Args:
      category: category of each image, numbers from 0 without gaps [N].
      first: an image of each pair [P].
      second: the other one, of the same category [P].
      value: their relevance, the same in both directions [P].
    """
    count = np.bincount(category)
    order, begin = np.argsort(category, kind="stable"), np.cumsum(count) - count
    within = np.empty(len(category), np.int64)
    within[order] = np.arange(len(category)) - begin[category[order]]
    stop = np.cumsum(count**2)
    flat = np.zeros(stop[-1], np.float32)
    start, width = (stop - count**2)[category[first]], count[category[first]]
    for one, two in ((first, second), (second, first)):
        flat[start + within[one] * width + within[two]] = value
    parts = zip(np.split(flat, stop[:-1]), count, strict=True)
    return from_blocks(category, [part.reshape(n, n) for part, n in parts])


def from_features(category: np.ndarray, features: np.ndarray, scale: float = 1.0):
    """Returns relevance exp(-distance / (scale * median distance)) within categories.

    Source: ours; the paper's scale is not published. Distances are Euclidean, the
    median is over all pairs of different images of one category.

    Args:
      category: category of each image, numbers from 0 without gaps [N].
      features: vectors of each image, for example `recjax.images.handcrafted` [N, D].
      scale: larger values make far images more relevant.
    """
    order = np.argsort(category, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(category))[:-1])
    distances = [_distances(features[own].astype(np.float64)) for own in parts]
    pairs = [d[np.triu_indices(len(d), 1)] for d in distances]
    median = np.median(np.concatenate(pairs)) if sum(map(len, pairs)) else 1.0
    width = scale * max(median, 1e-12)
    blocks = [np.exp(-d / width).astype(np.float32) for d in distances]
    return from_blocks(category, blocks)


def _distances(vectors: np.ndarray) -> np.ndarray:
    square = (vectors * vectors).sum(1)
    apart = square[:, None] + square[None] - 2 * vectors @ vectors.T
    return np.sqrt(np.maximum(apart, 0))
