"""How far a mean over queries or users might lie from that of others like them."""

from __future__ import annotations

import numpy as np

DRAWS = 1_000


def resampled(rows: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """Returns the means of resamples of rows with replacement, [draws, ...].

    The same draws for the same number of rows, so that methods are compared on the same
    resamples (a paired bootstrap; Efron & Tibshirani 1993, chapter 13).

    Args:
      rows: float64 [n] or [n, metrics].
      draws: how many.
    """
    generator = np.random.default_rng(0)
    count = len(rows)
    weight = generator.multinomial(count, np.full(count, 1 / count), draws) / count
    return weight @ rows


def interval(values: np.ndarray, weights: np.ndarray | None = None) -> tuple:
    """Returns the ends of the 95 % interval of a weighted mean.

    Args:
      values: one for each query [Q].
      weights: how much each counts [Q]; all alike by default.
    """
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    kept = weights > 0
    if not kept.any():
        return float("nan"), float("nan")
    rows = np.stack([values[kept] * weights[kept], weights[kept]], 1)
    total, weight = resampled(rows).T
    low, high = np.percentile(total / weight, [2.5, 97.5])
    return float(low), float(high)
