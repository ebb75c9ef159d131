"""MV of HierTCN's tables: the mean of the last items, as vectors of ones and zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recjax.data.dataset import Queries
from recjax.evals.scorer import LinearScores, Need


@dataclass(frozen=True)
class MovingAverage:
    """Scores each item by its share among a user's last events, across sessions.

    The paper's "optimistic" ties call a user's first event a hit.

    Attributes:
      last: events that are averaged.
    """

    last: int = 10
    needs: ClassVar[tuple[Need, ...]] = ("history",)

    def fit(self, data: object, queries: Queries) -> LinearScores:
        """Finds the last events before each query."""
        size = queries.task.num_items
        asked = queries.past.weights(
            lambda back, _: np.full(len(back), 1 / self.last), size, self.last
        )
        return LinearScores(asked, sparse.eye_array(size, dtype=np.float32).tocsr())
