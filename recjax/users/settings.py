"""What is asked of the clustering of users, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Settings:
    """How a user's points become clusters.

    Attributes:
      alpha: largest height of a merge, in squared units: see `tree.cut`. Of two unit
        vectors at cosine c it is 2 (1 - c); SciPy's threshold is the square root.
      decay: how fast a point's importance falls, per day. 0 counts points; half is gone
        after ln 2 / decay days: 69 at 0.01, the paper's choice.
      cap: most clusters of a user; None, as in the paper, for as many as alpha leaves.
    """

    alpha: float = 1.0
    decay: float = 0.01
    cap: int | None = None

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        if not self.alpha >= 0 or not self.decay >= 0:
            raise ValueError(f"alpha {self.alpha}, decay {self.decay}: must be >= 0")
        if self.cap is not None and self.cap < 1:
            raise ValueError(f"cap is {self.cap}, must be above 0")


@dataclass(frozen=True)
class UserClusters:
    """The clusters of U users, C in all, one user's after the other's.

    A user's clusters are numbered by their first points.

    Attributes:
      label: each point's cluster among its user's, int32 [T].
      starts: where each user's clusters begin, int64 [U + 1].
      medoid: the cluster's medoid among its user's points, int32 [C].
      size: points, int32 [C].
      importance: sum of exp(-decay x age in days) over the points, float64 [C].
      center: mean of the points, float32 [C, D].
    """

    label: np.ndarray
    starts: np.ndarray
    medoid: np.ndarray
    size: np.ndarray
    importance: np.ndarray
    center: np.ndarray
