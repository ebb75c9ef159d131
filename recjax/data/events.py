"""Training events and query histories: what is counted, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Events:
    """`E` training events over a corpus of `N` items.

    Attributes:
      user: [E], sorted.
      item: corpus indices [E].
      timestamp: seconds [E], sorted within each user. Where only the order is known,
        any numbers that grow with it.
      num_items: `N`.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    num_items: int

    def __post_init__(self) -> None:
        """Checks order and range.

        Raises:
          ValueError: events are out of order, or of items outside the corpus.
        """
        sizes = {len(self.user), len(self.item), len(self.timestamp)}
        if len(sizes) != 1:
            raise ValueError(f"columns of different lengths: {sorted(sizes)}")
        step = np.diff(self.user)
        if (step < 0).any() or (np.diff(self.timestamp)[step == 0] < 0).any():
            raise ValueError("events are not sorted by user and timestamp")
        _check_items(self.item, self.num_items)


@dataclass(frozen=True)
class Histories:
    """What the user of each of `Q` queries did before.

    Attributes:
      offsets: query q has the items `items[offsets[q]:offsets[q + 1]]`.
      items: corpus indices, oldest first [H].
      ages: seconds between each item's event and the query, at least 0 [H]; None where
        only the order is known.
    """

    offsets: np.ndarray
    items: np.ndarray
    ages: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Checks that the arrays fit each other.

        Raises:
          ValueError: they do not.
        """
        offsets = self.offsets
        bad = not len(offsets) or offsets[0] != 0 or offsets[-1] != len(self.items)
        if bad or (np.diff(offsets) < 0).any():
            raise ValueError(f"offsets do not fit {len(self.items)} items")
        if self.ages is not None:
            if len(self.ages) != len(self.items):
                raise ValueError(f"{len(self.ages)} ages of {len(self.items)} items")
            if (np.asarray(self.ages) < 0).any():
                raise ValueError("an age is negative: the event is after the query")

    def __len__(self) -> int:
        """Returns `Q`."""
        return len(self.offsets) - 1


def _check_items(items: np.ndarray, num_items: int) -> None:
    if len(items) and not 0 <= np.min(items) <= np.max(items) < num_items:
        raise ValueError(f"an item is outside 0..{num_items - 1}")
