"""Item-kNN for implicit feedback that knows order and time.

Two items are similar when the same users met them close to each other:

    pairs(i, j) = sum over users and events i before j, at most `window` places apart,
                  of places ** -gap_power          (+ `backward` x pairs(j, i))
    sim(i -> j) = pairs(i, j) / (n_i + shrinkage) ** source_power
                              / (n_j + shrinkage) ** target_power

`source_power = target_power = .5`, `backward = 1`, `gap_power = 0` and a wide window is
the cosine of B. Sarwar et al., "Item-Based Collaborative Filtering Recommendation
Algorithms", WWW 2001; unequal powers are the asymmetric cosine of F. Aiolli, RecSys
2013; `backward = 0` are skip transitions. A query's score sums the similarities of its
history, newer events weighing more, and adds the popularity of late, which decides
where no neighbour does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from recjax.evals.baselines.events import Events, Histories
from recjax.evals.baselines.popularity import Popularity

PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class ItemKnnOptions:
    """Settings; the defaults are the best found on validation of MovieLens-100K.

    Attributes:
      window: farthest places between two events of a user that still pair.
      gap_power: how fast a pair's weight falls with the places between, 0 for never.
      backward: weight of the later item leading to the earlier one, 0 to 1; events of
        the same time have no order and count both ways.
      source_power: how much the popularity of the history's item is divided out.
      target_power: how much the popularity of the scored item is divided out.
      shrinkage: added to both counts: distrust of rare items.
      neighbours: items that each item leads to, at most.
      history: newest events of a query that are used.
      recency_power: an event weighs (1 + distance) ** -recency_power, where the
        distance is its age over `age_scale`, or its place from the end without ages.
      age_scale: seconds.
      popularity_days: see `Popularity.fit`.
      popularity_weight: of the most popular item.
    """

    window: int = 50
    gap_power: float = 0.4
    backward: float = 0.5
    source_power: float = 0.7
    target_power: float = 0.5
    shrinkage: float = 5.0
    neighbours: int = 1_000
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
        for name in ("window", "neighbours", "history", "age_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")
        if not 0 <= self.backward <= 1 or self.shrinkage < 0:
            raise ValueError(f"backward {self.backward}, shrinkage {self.shrinkage}")


@dataclass(frozen=True)
class PairCounts:
    """Weighted pairs of the training events, sparse float64 [N, N].

    Attributes:
      ordered: row before column.
      together: both at the same time, both ways.
    """

    ordered: sparse.csr_array
    together: sparse.csr_array


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
        if counts is None:
            counts = count_pairs(events, options.window, options.gap_power)
        popularity = Popularity.fit(events, options.popularity_days).counts
        top = options.popularity_weight / max(popularity.max(initial=0), 1)
        return cls(
            options=options,
            similarity=_similarity(events, counts, options),
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


def count_pairs(events: Events, window: int, gap_power: float) -> PairCounts:
    """Counts pairs of events of one user, at most `window` places apart.

    Cost: E x window pairs, of which `PAIRS_AT_ONCE` are in memory at a time.
    """
    size = events.num_items
    totals = [sparse.csr_array((size, size), dtype=np.float64) for _ in range(2)]
    held: tuple[list, list] = ([], [])
    pairs = 0
    farthest = int(np.unique(events.user, return_counts=True)[1].max(initial=0)) - 1
    farthest = min(window, farthest)
    for gap in range(1, farthest + 1):
        place = np.flatnonzero(events.user[gap:] == events.user[:-gap])
        same = events.timestamp[place + gap] == events.timestamp[place]
        for kind, chosen in enumerate((place[~same], place[same])):
            weight = np.full(len(chosen), float(gap) ** -gap_power)
            pair = events.item[chosen], events.item[chosen + gap]
            held[kind].append((weight, *pair))
        pairs += len(place)
        if pairs >= PAIRS_AT_ONCE or gap == farthest:
            for kind in range(2):
                totals[kind] = totals[kind] + _summed(held[kind], size)
                held[kind].clear()
            pairs = 0
    return PairCounts(totals[0], (totals[1] + totals[1].T).tocsr())


def _summed(pairs: list, size: int) -> sparse.csr_array:
    weight, row, column = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return sparse.coo_array((weight, (row, column)), shape=(size, size)).tocsr()


def _similarity(
    events: Events, counts: PairCounts, options: ItemKnnOptions
) -> sparse.csr_array:
    pairs = counts.ordered + options.backward * counts.ordered.T + counts.together
    pairs = pairs.tocsr()
    known = np.bincount(events.item, minlength=events.num_items) + options.shrinkage
    known = np.maximum(known, 1)
    row = np.repeat(np.arange(events.num_items), np.diff(pairs.indptr))
    source, target = known**-options.source_power, known**-options.target_power
    pairs.data = pairs.data * source[row] * target[pairs.indices]
    # Ties go to the lower index: the kept neighbours never depend on the platform.
    order = np.lexsort((pairs.indices, -pairs.data, row))
    place = np.arange(pairs.nnz) - pairs.indptr[row]
    kept = order[(place < options.neighbours) & (pairs.data[order] > 0)]
    return sparse.csr_array(
        (pairs.data[kept].astype(np.float32), (row[kept], pairs.indices[kept])),
        shape=pairs.shape,
    )


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
