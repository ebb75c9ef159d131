"""How unevenly a corpus is shown: does everybody get the same few items?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Exposure:
    """How often each item stood in the top lists of some queries.

    Attributes:
      counts: lists that hold each item [N].
      lists: how many lists there are.
    """

    counts: np.ndarray
    lists: int

    @classmethod
    def of(cls, num_items: int, top: np.ndarray, k: int) -> Exposure:
        """Counts the items of top lists.

        Args:
          num_items: `N`.
          top: the best items of each query, distinct, best first [Q, K]; -1 where fewer
            are ranked.
          k: how much of each list counts.
        """
        items = top[:, :k]
        counts = np.bincount(items[items >= 0], minlength=num_items)
        return cls(counts, len(top))

    @property
    def value(self) -> float:
        """Coverage: the share of items that are in any list; NaN of an empty corpus."""
        return float((self.counts > 0).mean()) if len(self.counts) else float("nan")

    @property
    def frequency(self) -> np.ndarray:
        """Share of the lists that hold an item, of all items in any, largest first."""
        counts = np.sort(self.counts[self.counts > 0])[::-1]
        return counts / max(self.lists, 1)

    def figures(self, k: int) -> dict[str, float]:
        """Returns the retrieval frequency of the item shown most, and the 90th centile.

        Both are of items that are in any list (OmniSearchSage, Agarwal et al. 2024,
        watches them to see whether a few popular items crowd out the others).
        """
        frequency = self.frequency
        most, p90 = 0.0, 0.0
        if len(frequency):
            most, p90 = float(frequency[0]), float(np.percentile(frequency, 90))
        return {f"shown_max@{k}": most, f"shown_p90@{k}": p90}

    def __add__(self, other: Exposure) -> Exposure:
        """Returns what was shown in both parts together."""
        return Exposure(self.counts + other.counts, self.lists + other.lists)
