"""The same list for everyone: what most events were about, of all time or of late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasEvents, Queries
from recjax.data.events import Events
from recjax.evals.linear_scorer import (
    Asked,
    Learned,
    LinearScorer,
    of_history_alone,
)
from recjax.evals.scorer import Need
from recjax.seconds import DAY, HOUR


@dataclass(frozen=True)
class Popularity(LinearScorer):
    """Items by their count in training.

    Attributes:
      days: count only events less than so long before the last one; None for all.
    """

    days: float | None = None

    def __post_init__(self) -> None:
        """Checks the range.

        Raises:
          ValueError: `days` is not above 0.
        """
        if self.days is not None and not self.days > 0:
            raise ValueError(f"days is {self.days}, must be above 0")

    @property
    def needs(self) -> tuple[Need, ...]:
        """Times are needed for days alone."""
        return () if self.days is None else ("events", "times")

    def learn(self, data: Any, corpus: str) -> Learned:
        """Counts training examples."""
        if self.days is not None:
            counts = self.count(data.log.where(data.train))
        else:
            items, size = data.training_items(corpus), len(data.corpora[corpus])
            counts = np.bincount(items, minlength=size).astype(np.float32)
        return Learned(of_history_alone(len(counts)), counts)

    def ask(self, learned: Learned, queries: Asked) -> tuple[sparse.csr_array, None]:
        """Asks nothing."""
        return sparse.csr_array((len(queries), 0), dtype=np.float32), None

    def fit(self, data: Any, queries: Queries) -> ConstantScores:
        """Counts training examples."""
        counts = self.learn(data, queries.corpus).same
        return ConstantScores(np.asarray(counts))

    def count(self, events: Events) -> np.ndarray:
        """Returns how many of some events are of each item, float32 [N]."""
        items = events.item
        if self.days is not None and len(items):
            age = events.timestamp.max() - events.timestamp
            items = items[age < self.days * DAY]
        return np.bincount(items, minlength=events.num_items).astype(np.float32)


@dataclass(frozen=True)
class ConstantScores:
    """Scores that are the same for every query.

    Attributes:
      counts: float32 [N].
    """

    counts: np.ndarray

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N], read-only: one row for all queries."""
        return np.broadcast_to(self.counts, (stop - start, len(self.counts)))


@dataclass(frozen=True)
class RecentPop:
    """Items by their events of late: news is recency.

    What a user did before a moment is known at that moment, whoever the user is; so
    events of all splits count, but only those before the query's second.

    Attributes:
      seconds: length of the window before each query.
    """

    seconds: int = HOUR
    needs: ClassVar[tuple[Need, ...]] = ("events", "times", "history")

    def fit(self, data: HasEvents, queries: Queries) -> WindowCounts:
        """Sorts the events by time."""
        order = np.argsort(data.log.timestamp, kind="stable")
        time, at = data.log.timestamp[order], np.asarray(queries.past.when)
        bounds = [np.searchsorted(time, moment) for moment in (at - self.seconds, at)]
        items = data.log.item[order]
        return WindowCounts(items, np.stack(bounds, 1), data.log.num_items)


@dataclass(frozen=True)
class WindowCounts:
    """Counts of the events of a window before each query.

    Attributes:
      item: i32[E], in time order.
      bounds: i64[Q, 2]: the window of query q is item[bounds[q, 0]:bounds[q, 1]].
      num_items: `N`.
    """

    item: np.ndarray
    bounds: np.ndarray
    num_items: int

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns counts, float32 [stop - start, N]."""
        out = np.zeros((stop - start, self.num_items), np.float32)
        for row, (low, high) in enumerate(self.bounds[start:stop]):
            out[row] = np.bincount(self.item[low:high], minlength=self.num_items)
        return out
