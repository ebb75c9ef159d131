"""MV of HierTCN's tables: the mean of the last items, as vectors of ones and zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.data.sessions.read import Sessions


@dataclass(frozen=True)
class MovingAverage:
    """Scores each item by its share among a user's last events.

    Attributes:
      item: i32[E], all events.
      start: first event of the user of each target i64[Q].
      targets: events to predict i64[Q].
      last: events that are averaged.
      num_items: `N`.
    """

    item: np.ndarray
    start: np.ndarray
    targets: np.ndarray
    last: int
    num_items: int

    @classmethod
    def fit(cls, data: Sessions, targets: np.ndarray, last: int = 10) -> MovingAverage:
        """Finds the last events before each target, across sessions."""
        user = data.session_user[data.event_session[targets]]
        start = data.session_start[data.user_start[user]]
        return cls(np.asarray(data.item), start, targets, last, len(data.item_ids))

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        out = np.zeros((stop - start, self.num_items), np.float32)
        for row, at in enumerate(range(start, stop)):
            event = self.targets[at]
            seen = self.item[max(self.start[at], event - self.last) : event]
            np.add.at(out[row], seen, np.float32(1 / self.last))
        return out
