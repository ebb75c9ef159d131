"""The items that a session model's batch is scored against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax import rng

FILL = 64
"""The whole corpus as negatives is filled up to a multiple of this."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Random items of each step, or all items.

    Attributes:
      trained: training events of each item, i64[N].
      count: items of a step; None takes every item once.
      popularity: an item is drawn in proportion to (its events + 1) ** popularity.
      seed: of the draws.
    """

    trained: np.ndarray
    count: int | None
    popularity: float
    seed: int

    @cached_property
    def log_share(self) -> np.ndarray:
        """Log of the probability that one draw gives each item, f32[N]."""
        if self.count is None:
            # Every item is a column once; the loss multiplies by their number.
            return np.full(len(self.trained), -np.log(self._all), np.float32)
        return np.log(self._share).astype(np.float32)

    def at(self, step: int) -> np.ndarray:
        """Returns the items of a step, i32[M]; -1 fills up the whole corpus."""
        size = len(self.trained)
        if self.count is None:
            every = np.arange(self._all)
            return np.where(every < size, every, -1).astype(np.int32)
        random = rng.host_stream(self.seed, "negatives", step).random(self.count)
        drawn = np.searchsorted(self._cumulative, random, side="right")
        return np.minimum(drawn, size - 1).astype(np.int32)

    @property
    def _all(self) -> int:
        return -(-len(self.trained) // FILL) * FILL

    @cached_property
    def _share(self) -> np.ndarray:
        drawn = (self.trained + 1.0) ** self.popularity
        return drawn / drawn.sum()

    @cached_property
    def _cumulative(self) -> np.ndarray:
        return np.cumsum(self._share)
