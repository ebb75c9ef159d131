"""MV of HierTCN's tables: the mean of the last items, as vectors of ones and zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasQueries
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer
from recjax.evals.scorer import Need


@dataclass(frozen=True)
class MovingAverage(LinearScorer):
    """Scores each item by its share among a user's last events, across sessions.

    The paper's "optimistic" ties call a user's first event a hit.

    Attributes:
      last: events that are averaged.
    """

    last: int = 10
    needs: ClassVar[tuple[Need, ...]] = ("history",)

    def learn(self, data: HasQueries, corpus: str) -> Learned:
        """Learns nothing: each item speaks for itself."""
        size = len(data.corpora[corpus])
        return Learned(sparse.eye_array(size, dtype=np.float32).tocsr())

    def ask(self, learned: Learned, queries: Asked) -> tuple[sparse.csr_array, None]:
        """Finds the last events before each query."""
        past, size = queries.past, learned.size
        share = np.float32(1 / self.last)
        asked = past.weights(lambda back, _: np.full(len(back), share), size, self.last)
        return asked, None
