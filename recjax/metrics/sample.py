"""How far a mean over queries or users might lie from that of others like them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """A weighted mean over units that were drawn independently: queries, or users.

    Attributes:
      total: sum of weight times value of each unit, f64[n].
      weight: sum of the weights of each unit, f64[n]; some are above 0.
    """

    total: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        weights: np.ndarray | None = None,
        unit: np.ndarray | None = None,
    ) -> Sample:
        """Returns the sample of some values.

        Args:
          values: [Q]; booleans count as 0 and 1.
          weights: how much each counts [Q]; all alike by default.
          unit: which are of one unit, such as queries of one user [Q]; by default each
            is one of its own.
        """
        values = np.asarray(values, np.float64)
        weight = np.ones_like(values) if weights is None else np.asarray(weights, float)
        total = np.where(weight > 0, values, 0.0) * weight
        if unit is not None:
            _, place = np.unique(unit, return_inverse=True)
            total, weight = np.bincount(place, total), np.bincount(place, weight)
        return cls(total, weight)

    @property
    def mean(self) -> float:
        """The mean; NaN where nothing is weighed."""
        weight = float(self.weight.sum())
        return float(self.total.sum()) / weight if weight else float("nan")

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the mean; None where the units do not tell.

        By Student's t and the linearised variance of a ratio of sums (Cochran 1977,
        section 6.4); it ends at the least and at the largest value of a unit.
        """
        known = self.weight > 0
        half = _half(self._residual, self.weight)
        if half is None:
            return None
        values = self.total[known] / self.weight[known]
        low, high = max(self.mean - half, values.min()), self.mean + half
        return float(low), float(min(high, values.max()))

    def above(self, other: Sample) -> Interval | None:
        """Returns the 95 % interval of this mean less another, of the same units.

        Units are compared with themselves, which tells more than two intervals do.

        Raises:
          ValueError: it is of other units.
        """
        if not np.array_equal(self.weight > 0, other.weight > 0):
            raise ValueError("samples of different units are not compared")
        # Each residual is scaled by its own weights, so that both are means.
        scale = self.weight.sum() / max(float(other.weight.sum()), 1e-300)
        residual = self._residual - scale * other._residual
        half = _half(residual, self.weight)
        gap = self.mean - other.mean
        return None if half is None else (gap - half, gap + half)

    @property
    def _residual(self) -> np.ndarray:
        return self.total - self.mean * self.weight


def _half(residual: np.ndarray, weight: np.ndarray) -> float | None:
    """Returns half of the width of an interval; None where no two units differ."""
    units, whole = int(np.count_nonzero(weight > 0)), float(weight.sum())
    if units < 2 or np.abs(residual).max() <= 1e-9 * weight.max():
        return None
    variance = (residual**2).sum() * units / (units - 1) / whole**2
    return float(stdtrit(units - 1, (1 + LEVEL) / 2) * np.sqrt(variance))
