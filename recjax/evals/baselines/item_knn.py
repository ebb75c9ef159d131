"""Item-kNN for implicit feedback that knows order and time.

A query's score sums the similarities of its history (`recjax.data.cooccurrence`), newer
events weighing more, and adds the popularity of late, which decides where no neighbour
does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recjax.data.cooccurrence import Cooccurrence, PairCounts
from recjax.data.events import Events, Histories
from recjax.evals.baselines.popularity import Popularity


@dataclass(frozen=True)
class ItemKnnOptions(Cooccurrence):
    """Settings; the defaults are the best found on validation of MovieLens-100K.

    Attributes:
      history: newest events of a query that are used.
      recency_power: an event weighs (1 + distance) ** -recency_power, where the
        distance is its age over `age_scale`, or its place from the end without ages.
      age_scale: seconds.
      popularity_days: see `Popularity.fit`.
      popularity_weight: of the most popular item.
    """

    history: int = 1_000
    recency_power: float = 1.4
    age_scale: float = 60.0
    popularity_days: float | None = 14.0
    popularity_weight: float = 0.005

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: a setting is out of range.
        """
        super().__post_init__()
        for name in ("history", "age_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")


@dataclass(frozen=True)
class ItemKnn:
    """Item-kNN scores of `N` items for `Q` histories.

    Attributes:
      options: the settings.
      similarity: source item -> scored item, sparse float32 [N, N].
      popularity: what each item scores without any neighbour, float32 [N].
      weights: the histories, sparse float32 [Q, N].
    """

    options: ItemKnnOptions
    similarity: sparse.csr_array
    popularity: np.ndarray
    weights: sparse.csr_array

    @classmethod
    def fit(
        cls,
        events: Events,
        histories: Histories,
        options: ItemKnnOptions | None = None,
        counts: PairCounts | None = None,
    ) -> ItemKnn:
        """Finds the neighbours of every item.

        Args:
          events: the training events.
          histories: what `scores` answers [Q].
          options: the settings.
          counts: `count_pairs` of these events with the same window and gap power,
            where they are known already.
        """
        options = options or ItemKnnOptions()
        popularity = Popularity.fit(events, options.popularity_days).counts
        top = options.popularity_weight / max(popularity.max(initial=0), 1)
        return cls(
            options=options,
            similarity=options.similarity(events, counts),
            popularity=(popularity * top).astype(np.float32),
            weights=_history_weights(histories, events.num_items, options),
        )

    def with_histories(self, histories: Histories) -> ItemKnn:
        """Returns the same neighbours asked other histories."""
        weights = _history_weights(histories, len(self.popularity), self.options)
        return replace(self, weights=weights)

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        scores = (self.weights[start:stop] @ self.similarity).toarray()
        return scores + self.popularity


def _history_weights(
    histories: Histories, num_items: int, options: ItemKnnOptions
) -> sparse.csr_array:
    lengths = np.diff(histories.offsets)
    query = np.repeat(np.arange(len(histories)), lengths)
    from_end = histories.offsets[1:][query] - 1 - np.arange(len(histories.items))
    if histories.ages is None:
        distance = from_end
    else:
        distance = np.asarray(histories.ages, np.float64) / options.age_scale
    weight = (1.0 + distance) ** -options.recency_power
    used = from_end < options.history
    return sparse.csr_array(
        (weight[used].astype(np.float32), (query[used], histories.items[used])),
        shape=(len(histories), num_items),
    )
