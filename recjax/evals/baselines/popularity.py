"""The same list for everyone: what most events were about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.data.events import Events

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Popularity:
    """Items by their count.

    Attributes:
      counts: training events of each item, float32 [N].
    """

    counts: np.ndarray

    @classmethod
    def fit(cls, events: Events, days: float | None = None) -> Popularity:
        """Counts events.

        Args:
          events: the training events.
          days: only events less than so long before the last one; None for all.

        Raises:
          ValueError: `days` is not above 0.
        """
        items = events.item
        if days is not None:
            if not days > 0:
                raise ValueError(f"days is {days}, must be above 0")
            if len(items):
                age = events.timestamp.max() - events.timestamp
                items = items[age < days * SECONDS_A_DAY]
        counts = np.bincount(items, minlength=events.num_items)
        return cls(counts.astype(np.float32))

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N], read-only: one row for all queries."""
        return np.broadcast_to(self.counts, (stop - start, len(self.counts)))
