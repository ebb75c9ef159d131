"""Items drawn as negatives: by popularity, or all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax import rng

FILL = 64
"""All items as negatives are filled up to a multiple of this."""


@dataclass(frozen=True)
class Draws:
    """The negatives of every step, a pure function of seed and step.

    Attributes:
      counts: training events of each item, i64[N].
      number: items drawn a step, with replacement; None takes all.
      power: items are drawn in proportion to (count + 1) to this power.
      seed: of the draws.
    """

    counts: np.ndarray
    number: int | None
    power: float
    seed: int

    def at(self, step: int) -> np.ndarray:
        """Returns the items of a step, i32[M]; -1 fills up."""
        size = len(self.counts)
        if self.number is None:
            every = np.arange(-(-size // FILL) * FILL)
            return np.where(every < size, every, -1).astype(np.int32)
        random = rng.host_stream(self.seed, "negatives", step).random(self.number)
        drawn = np.searchsorted(self._cumulative, random, side="right")
        return np.minimum(drawn, size - 1).astype(np.int32)

    @cached_property
    def log_share(self) -> np.ndarray:
        """Log probability that one draw gives each item, f32[N]."""
        if self.number is None:
            # Every item is a column once; the softmax multiplies by their number.
            size = len(self.counts)
            return np.full(size, -np.log(-(-size // FILL) * FILL), np.float32)
        return np.log(self._share).astype(np.float32)

    @cached_property
    def _share(self) -> np.ndarray:
        drawn = (self.counts + 1.0) ** self.power
        return drawn / drawn.sum()

    @cached_property
    def _cumulative(self) -> np.ndarray:
        return np.cumsum(self._share)
