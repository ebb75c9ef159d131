"""What a user had before: more often, more lately, at this hour of the day.

Where people have habits (check-ins, groceries, songs) this is hard to beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasEvents
from recjax.data.habits import Kernel
from recjax.evals.linear_scorer import (
    Asked,
    Learned,
    LinearScorer,
    of_history_alone,
)
from recjax.evals.scorer import Need


@dataclass(frozen=True)
class History(Kernel, LinearScorer):
    """Settings, beside those of `Kernel`.

    Attributes:
      popularity: of the most popular item; small, it parts ties.
    """

    popularity: float = 1e-3

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        super().__post_init__()
        if not self.popularity >= 0:
            raise ValueError(f"popularity is {self.popularity}, must be at least 0")

    @property
    def needs(self) -> tuple[Need, ...]:
        """Times are needed where the settings ask for them."""
        return ("events", "history", *(("times",) if self.timed else ()))

    def learn(self, data: HasEvents, corpus: str) -> Learned:
        """Counts the training events of each item."""
        size = data.log.num_items
        counts = np.bincount(data.log.item[data.train], minlength=size)
        popular = counts.astype(np.float32) / np.float32(max(counts.max(initial=0), 1))
        same = np.float32(self.popularity) * popular
        return Learned(of_history_alone(size), same)

    def ask(
        self, learned: Learned, queries: Asked
    ) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Weighs the histories of queries."""
        past, size = queries.past, learned.size
        met = past.weights(self.weights, size)
        met.sum_duplicates()
        return sparse.csr_array((len(past), 0), dtype=np.float32), met
