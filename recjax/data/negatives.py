"""Random negatives of a step: drawn uniformly, by popularity, or every item once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recjax import rng

FILL = 64
"""All items as negatives are filled up to a multiple of this: they must split over
hosts and devices."""


@dataclass(frozen=True)
class Negatives:
    """The negatives of every step, a pure function of seed and step.

    Attributes:
      size: items to draw from, `N`.
      number: items drawn a step, with replacement; None takes each once.
      seed: of the draws.
      share: chance of each item [N]; None draws uniformly.
      name: of the random stream; draws that go together need several.
    """

    size: int
    number: int | None
    seed: int
    share: np.ndarray | None = None
    name: str = "negatives"

    @property
    def columns(self) -> int:
        """Negatives of a step `M`, with what fills up."""
        return -(-self.size // FILL) * FILL if self.number is None else self.number

    def at(self, step: int) -> np.ndarray:
        """Returns the items of a step, i32[M]; -1 fills up."""
        if self.number is None:
            every = np.arange(self.columns, dtype=np.int32)
            return np.where(every < self.size, every, np.int32(-1))
        stream = rng.host_stream(self.seed, self.name, step)
        if self._upto is None:
            return stream.integers(0, self.size, self.number).astype(np.int32)
        return pick(self._upto, stream.random(self.number)).astype(np.int32)

    @cached_property
    def log_share(self) -> np.ndarray:
        """Log probability that one draw gives each item, f32[N]."""
        if self.number is None:
            # Every item is a column once; the softmax multiplies by their number.
            return np.full(self.size, -np.log(self.columns), np.float32)
        share = np.full(self.size, 1 / self.size) if self.share is None else self.share
        return np.log(share).astype(np.float32)

    @cached_property
    def _upto(self) -> np.ndarray | None:
        return None if self.share is None else np.cumsum(self.share)


def by_popularity(counts: np.ndarray, power: float) -> np.ndarray:
    """Returns chances in proportion to (count + 1) to a power [N]."""
    drawn = (counts + 1.0) ** power
    return drawn / drawn.sum()


def pick(upto: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Returns the entries whose parts of a running sum hold values.

    Args:
      upto: the running sum of the entries' weights [N].
      value: from 0 to the last of them [...].
    """
    return np.minimum(np.searchsorted(upto, value, side="right"), len(upto) - 1)
