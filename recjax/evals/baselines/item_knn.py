"""Item-kNN for implicit feedback that knows order and time.

A query's score sums the similarities of its history (`recjax.data.cooccurrence`), newer
events weighing more, and adds the popularity of late, which decides where no neighbour
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recjax.data.cooccurrence import Cooccurrence, EventPairs
from recjax.data.dataset import HasEvents
from recjax.data.events import Events, Histories
from recjax.evals.baselines.popularity import Popularity
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer, LinearScores
from recjax.evals.scorer import Need


@dataclass(frozen=True)
class ItemKnn(Cooccurrence, LinearScorer):
    """Settings; the defaults are the best found on validation of MovieLens-100K.

    Attributes:
      history: newest events of a query that are used.
      recency_power: an event weighs (1 + distance) ** -recency_power, where the
        distance is its age over `age_scale`, or its place from the end without ages.
      age_scale: seconds.
      popularity_days: see `Popularity`.
      popularity_weight: of the most popular item.
    """

    history: int = 1_000
    recency_power: float = 1.4
    age_scale: float = 60.0
    popularity_days: float | None = 14.0
    popularity_weight: float = 0.005
    needs: ClassVar[tuple[Need, ...]] = ("events", "history")

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        super().__post_init__()
        for name in ("history", "age_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")

    def learn(self, data: HasEvents, corpus: str) -> Learned:
        """Finds the neighbours of every item in the training events."""
        return self.neighbours_in(data.log.where(data.train))

    def ask(self, learned: Learned, queries: Asked) -> tuple[sparse.csr_array, None]:
        """Weighs the histories of queries."""
        return self.weigh(queries.past, learned.size), None

    def of_events(
        self, events: Events, histories: Histories, counts: EventPairs | None = None
    ) -> LinearScores:
        """Returns the scores of `N` items for `Q` histories.

        Args:
          events: the training events.
          histories: of the queries.
          counts: `count_pairs` of these events with the same window and gap power,
            where they are known already.
        """
        learned = self.neighbours_in(events, counts)
        asked = self.weigh(histories, events.num_items)
        return LinearScores(asked, learned.weights, same=learned.same)

    def neighbours_in(
        self, events: Events, counts: EventPairs | None = None
    ) -> Learned:
        """Returns what events say of items; see `of_events`."""
        days = self.popularity_days if events.timed else None
        popularity = Popularity(days).count(events)
        top = self.popularity_weight / max(popularity.max(initial=0), 1)
        similarity = self.similarity(events, counts)
        return Learned(similarity, (popularity * top).astype(np.float32))

    def weigh(self, histories: Histories, size: int) -> sparse.csr_array:
        """Returns how much each item of a history counts, float32 [Q, N]."""

        def weight(back: np.ndarray, age: np.ndarray | None) -> np.ndarray:
            distance = back
            if age is not None:
                distance = np.asarray(age, np.float64) / self.age_scale
            return (1.0 + distance) ** -self.recency_power

        return histories.weights(weight, size, self.history)
