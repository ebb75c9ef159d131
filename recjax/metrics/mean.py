"""One mergeable mean: parts are added up, never averaged twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mean:
    """A weighted mean of which more may come.

    Attributes:
      total: sum of weight times value, in float64.
      weight: sum of the weights.
    """

    total: float = 0.0
    weight: float = 0.0

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray | None = None) -> Mean:
        """Returns the mean of some values.

        Args:
          values: any shape; booleans count as 0 and 1.
          weights: the same shape, at least 0; all 1 by default.

        Raises:
          ValueError: the shapes differ or a weight is negative.
        """
        values = np.asarray(values, np.float64)
        if weights is None:
            return cls(float(values.sum()), float(values.size))
        weights = np.asarray(weights, np.float64)
        if weights.shape != values.shape:
            raise ValueError(f"values {values.shape} but weights {weights.shape}")
        if (weights < 0).any():
            raise ValueError("a weight is negative")
        # A value that does not count may be anything, also NaN.
        counted = np.where(weights > 0, values, 0.0)
        return cls(float((weights * counted).sum()), float(weights.sum()))

    @property
    def value(self) -> float:
        """The mean; NaN where nothing was weighed."""
        return float(self.total / self.weight) if self.weight else float("nan")

    def __add__(self, other: Mean) -> Mean:
        """Returns the mean of both parts together."""
        if not isinstance(other, Mean):
            return NotImplemented
        total = float(self.total) + float(other.total)
        return Mean(total, float(self.weight) + float(other.weight))
