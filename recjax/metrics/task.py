"""What is ranked for whom, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class RankingTask:
    """`Q` queries over a corpus of `N` items; judged and excluded items are ragged.

    Attributes:
      num_items: `N`.
      offsets: judged items of query q lie in `items[offsets[q]:offsets[q + 1]]`.
      items: corpus indices of the judged items [P]; distinct within a query.
      gains: their gains [P], at least 0; 0 for an item judged irrelevant.
      exclude_offsets: the same as `offsets`, of the excluded items.
      exclude: corpus indices that are not ranked for a query, since already seen;
        no judged item of the same query is among them.
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
            bad = not len(offsets) or offsets[0] != 0 or offsets[-1] != len(values)
            if bad or (np.diff(offsets) < 0).any():
                raise ValueError(f"offsets do not fit {len(values)} items")
            if len(values) and not 0 <= values.min() <= values.max() < self.num_items:
                raise ValueError(f"an item is outside 0..{self.num_items - 1}")
        if len(self.offsets) != len(self.exclude_offsets):
            raise ValueError("judged and excluded items are of different queries")
        if len(self.gains) != len(self.items):
            raise ValueError(f"{len(self.gains)} gains of {len(self.items)} items")
        if not (np.isfinite(self.gains) & (np.asarray(self.gains) >= 0)).all():
            raise ValueError("a gain is negative, infinite or NaN")
        if self.positive_gain is not None and not self.positive_gain > 0:
            raise ValueError(f"positive_gain is {self.positive_gain}, must be above 0")
        judged = self._sorted(self.offsets, self.items)
        twice = judged[1:][judged[1:] == judged[:-1]]
        if len(twice):
            query, item = divmod(int(twice[0]), self.num_items)
            raise ValueError(f"query {query} judges item {item} twice")
        out = self._sorted(self.exclude_offsets, self.exclude)
        place = np.searchsorted(out, judged)
        both = judged[np.append(out, -1)[place] == judged]
        if len(both):
            query, item = divmod(int(both[0]), self.num_items)
            raise ValueError(f"query {query} both judges and excludes item {item}")

    @classmethod
    def from_lists(
        cls,
        num_items: int,
        items: Sequence[Sequence[int]],
        gains: Sequence[Sequence[float]] | None = None,
        exclude: Sequence[Sequence[int]] | None = None,
        positive_gain: float | None = None,
    ) -> RankingTask:
        """Returns a task from one list a query.

        Args:
          num_items: `N`.
          items: judged items of each query [Q][...].
          gains: their gains; all 1 by default.
          exclude: items that are not ranked for each query; none by default.
          positive_gain: smallest gain of a positive; None for any gain above 0.

        Raises:
          ValueError: the lists do not fit each other.
        """
        gains = [[1.0] * len(row) for row in items] if gains is None else gains
        exclude = [[]] * len(items) if exclude is None else exclude
        if [len(row) for row in gains] != [len(row) for row in items]:
            raise ValueError("gains and items have lists of different lengths")
        offsets, flat = _ragged(items, np.int32)
        exclude_offsets, exclude_flat = _ragged(exclude, np.int32)
        return cls(
            num_items=num_items,
            offsets=offsets,
            items=flat,
            gains=_ragged(gains, np.float32)[1],
            exclude_offsets=exclude_offsets,
            exclude=exclude_flat,
            positive_gain=positive_gain,
        )

    @classmethod
    def of_one_each(cls, num_items: int, items: np.ndarray) -> RankingTask:
        """Returns a task that judges one item a query [Q], a positive."""
        return cls(
            num_items=num_items,
            offsets=np.arange(len(items) + 1, dtype=np.int64),
            items=items,
            gains=np.ones(len(items), np.float32),
            exclude_offsets=np.zeros(len(items) + 1, np.int64),
            exclude=np.zeros(0, np.int32),
        )

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

    @property
    def graded(self) -> bool:
        """Whether judged items differ in gain: some are better answers than others."""
        return bool(len(self.gains)) and self.gains.min() < self.gains.max()

    @property
    def pool(self) -> np.ndarray:
        """How many items are ranked for each query [Q]."""
        out = self._sorted(self.exclude_offsets, self.exclude)
        once = out[np.append(True, out[1:] != out[:-1])[: len(out)]]
        lost = np.bincount(once // max(self.num_items, 1), minlength=len(self))
        return self.num_items - lost

    def take(self, rows: np.ndarray) -> RankingTask:
        """Returns the task of some queries [n].

        Raises:
          ValueError: there are no such queries.
        """
        if len(rows) and not 0 <= np.min(rows) <= np.max(rows) < len(self):
            raise ValueError(f"queries {np.min(rows)}..{np.max(rows)} of {len(self)}")
        offsets, judged = _picked(self.offsets, rows)
        exclude_offsets, out = _picked(self.exclude_offsets, rows)
        return replace(
            self,
            offsets=offsets,
            items=self.items[judged],
            gains=self.gains[judged],
            exclude_offsets=exclude_offsets,
            exclude=self.exclude[out],
        )

    def _sorted(self, offsets: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Returns one number for each query and item, in order."""
        query = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
        return np.sort(query * self.num_items + items)


def _picked(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the offsets of some rows of a ragged list, and places of their values."""
    lengths = np.diff(offsets)[rows]
    new = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shift = np.repeat(offsets[:-1][rows] - new[:-1], lengths)
    return new, np.arange(new[-1]) + shift


def _ragged(rows: Sequence[Sequence], dtype: type) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    flat = [value for row in rows for value in row]
    return offsets, np.array(flat, dtype)
