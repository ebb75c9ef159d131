"""Figures on judged triplets: similarity precision and score-at-top-K.

Wang et al. 2014, section 6.2 and 6.3.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax.metrics.sample import Sample


@dataclass(frozen=True, eq=False)
class Precision:
    """Share of triplets whose positive is nearer than the negative.

    Triplets of one query are alike, so its interval is one of queries.

    Attributes:
      right: of each triplet f64[T]: 1, 0, or 1/2 for a tie.
      query: a number for the query of each [T].
    """

    right: np.ndarray
    query: np.ndarray

    @property
    def value(self) -> float:
        """The share; a tie counts half."""
        return self.sample.mean

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the 95 % interval; the share where all queries are alike."""
        return self.sample.interval or (self.value, self.value)

    @cached_property
    def sample(self) -> Sample:
        """The share as a mean over queries, to be compared with that of others."""
        return Sample.of(self.right, unit=self.query)

    def __str__(self) -> str:
        """For people, in percent."""
        low, high = self.interval
        return (
            f"{100 * self.value:.2f} % [{100 * low:.2f}, {100 * high:.2f}] of "
            f"{len(self.right):,} triplets of {len(self.sample.total):,} queries"
        )

    def against(self, other: Precision) -> str:
        """Returns by how much it is above another on the same triplets, for people."""
        gap, between = self.value - other.value, self.sample.above(other.sample)
        low, high = between or (gap, gap)
        return f"{100 * gap:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def similarity_precision(
    near: np.ndarray, far: np.ndarray, query: np.ndarray | None = None
) -> Precision:
    """Returns the share of triplets with D(query, positive) < D(query, negative).

    Args:
      near: D(query, positive) [T].
      far: D(query, negative) [T].
      query: a number for each query [T]; None if all are different.

    Raises:
      ValueError: no triplets, or distances that are not numbers.
    """
    near, far = np.asarray(near, np.float64), np.asarray(far, np.float64)
    if not len(near) or near.shape != far.shape:
        raise ValueError(f"{near.shape} and {far.shape} distances")
    if not (np.isfinite(near) & np.isfinite(far)).all():
        raise ValueError("a distance is infinite or NaN")
    right = np.where(near == far, 0.5, near < far)
    return Precision(right, np.arange(len(near)) if query is None else query)


def score_at_top(
    queries: Sequence[Hashable],
    rank: Mapping[Hashable, Mapping[int, int]],
    positive: Sequence[int],
    negative: Sequence[int],
    k: int = 30,
) -> int:
    """Returns right minus wrong triplets, of those that the user would see.

    For each query its pool of images is ranked. A triplet counts if its positive or
    its negative is among the first K; it is right if the positive stands before the
    negative (score-at-top-K; a count that grows with the number of triplets).

    Args:
      queries: query of each triplet [T].
      rank: query -> image of its pool -> rank from 1; an image outside of the pool
        stands behind all.
      positive: of each triplet [T].
      negative: of each triplet [T].
      k: `K`.
    """
    score = 0
    for query, near, far in zip(queries, positive, negative, strict=True):
        pool = rank[query]
        last = len(pool) + 1
        a, b = pool.get(near, last), pool.get(far, last)
        if min(a, b) <= k and a != b:
            score += 1 if a < b else -1
    return score
