"""What is ranked for whom, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RankingTask:
    """`Q` queries over a corpus of `N` items; judged and excluded items are ragged.

    Attributes:
      num_items: `N`.
      offsets: judged items of query q lie in `items[offsets[q]:offsets[q + 1]]`.
      items: corpus indices of the judged items [P].
      gains: their gains [P]; 0 for an item judged irrelevant.
      exclude_offsets: the same as `offsets`, of the excluded items.
      exclude: corpus indices that are not ranked for a query, since already seen.
      positive_gain: smallest gain of a positive; None for any gain above 0.
    """

    num_items: int
    offsets: np.ndarray
    items: np.ndarray
    gains: np.ndarray
    exclude_offsets: np.ndarray
    exclude: np.ndarray
    positive_gain: float | None = None

    def __post_init__(self) -> None:
        """Checks that the arrays fit each other.

        Raises:
          ValueError: they do not.
        """
        for offsets, values in (
            (self.offsets, self.items),
            (self.exclude_offsets, self.exclude),
        ):
            if offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any():
                raise ValueError(f"offsets do not fit {len(values)} items")
            if len(values) and not 0 <= values.min() <= values.max() < self.num_items:
                raise ValueError(f"an item is outside 0..{self.num_items - 1}")
        if len(self.offsets) != len(self.exclude_offsets):
            raise ValueError("judged and excluded items are of different queries")
        if len(self.gains) != len(self.items):
            raise ValueError(f"{len(self.gains)} gains of {len(self.items)} items")

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.offsets) - 1

    @property
    def query(self) -> np.ndarray:
        """The query of each judged item [P]."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.offsets))

    @property
    def positive(self) -> np.ndarray:
        """Whether each judged item is a positive [P]."""
        if self.positive_gain is None:
            return self.gains > 0
        return self.gains >= self.positive_gain


@dataclass(frozen=True)
class Ranks:
    """Where the judged items came out.

    Attributes:
      query: the query of each judged item [P].
      rank: its rank among the items that are ranked, from 1, ties averaged [P].
      top: the best items of each query [Q, K]; -1 where fewer are ranked.
    """

    query: np.ndarray
    rank: np.ndarray
    top: np.ndarray
