"""Figures on judged triplets: similarity precision and score-at-top-K.

Wang et al. 2014, section 6.2 and 6.3.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Precision:
    """Share of triplets whose positive is nearer than the negative.

    Attributes:
      value: the share; a tie counts half.
      low: lower end of the interval.
      high: upper end.
      triplets: how many were judged.
      queries: how many different queries they have.
    """

    value: float
    low: float
    high: float
    triplets: int
    queries: int

    def __str__(self) -> str:
        """For people, in percent."""
        return (
            f"{100 * self.value:.2f} % [{100 * self.low:.2f}, {100 * self.high:.2f}] "
            f"of {self.triplets:,} triplets of {self.queries:,} queries"
        )


def similarity_precision(
    near: np.ndarray,
    far: np.ndarray,
    query: np.ndarray | None = None,
    level: float = 0.95,
    draws: int = 2_000,
    seed: int = 0,
) -> Precision:
    """Returns the share of triplets with D(query, positive) < D(query, negative).

    The interval is a percentile bootstrap over *queries*, since triplets of one query
    are alike; with one triplet a query it is the plain bootstrap.

    Args:
      near: D(query, positive) [T].
      far: D(query, negative) [T].
      query: a number for each query [T]; None if all are different.
      level: of the interval.
      draws: of the bootstrap.
      seed: of the bootstrap.

    Raises:
      ValueError: no triplets, or distances that are not numbers.
    """
    near, far = np.asarray(near, np.float64), np.asarray(far, np.float64)
    if not len(near) or near.shape != far.shape:
        raise ValueError(f"{near.shape} and {far.shape} distances")
    if not (np.isfinite(near) & np.isfinite(far)).all():
        raise ValueError("a distance is infinite or NaN")
    right = np.where(near == far, 0.5, near < far)
    query = np.arange(len(near)) if query is None else query
    _, group = np.unique(query, return_inverse=True)
    total, count = np.bincount(group, right), np.bincount(group)
    generator = np.random.default_rng(seed)
    shares = np.empty(draws)
    for i in range(draws):
        again = generator.integers(0, len(total), len(total))
        shares[i] = total[again].sum() / count[again].sum()
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    return Precision(
        float(right.mean()), float(low), float(high), len(near), len(total)
    )


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
