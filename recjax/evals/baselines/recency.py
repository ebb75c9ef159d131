"""What everyone clicked on of late: news is recency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.data.sessions.read import Sessions


@dataclass(frozen=True)
class Recency:
    """Counts of the events of all users in a window before each target.

    What a user did before a moment is known at that moment, whoever the user is; so
    events of all splits count, but only those before the target's second.

    Attributes:
      item: i32[E], in time order.
      bounds: i64[Q, 2]: the window of target q is item[bounds[q, 0]:bounds[q, 1]].
      num_items: `N`.
    """

    item: np.ndarray
    bounds: np.ndarray
    num_items: int

    @classmethod
    def fit(cls, data: Sessions, targets: np.ndarray, seconds: int = 3_600) -> Recency:
        """Sorts the events by time.

        Args:
          data: timed sessions.
          targets: events to predict [Q].
          seconds: length of the window.
        """
        order = np.argsort(data.timestamp, kind="stable")
        when, at = np.asarray(data.timestamp)[order], data.timestamp[targets]
        bounds = [np.searchsorted(when, moment) for moment in (at - seconds, at)]
        items = np.asarray(data.item)[order]
        return cls(items, np.stack(bounds, 1), len(data.item_ids))

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns counts, float32 [stop - start, N]."""
        out = np.zeros((stop - start, self.num_items), np.float32)
        for row, (low, high) in enumerate(self.bounds[start:stop]):
            out[row] = np.bincount(self.item[low:high], minlength=self.num_items)
        return out
