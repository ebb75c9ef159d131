"""Markov chains over items: what followed what, one step or several apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from recjax.data.sessions.read import Sessions
from recjax.evals.baselines.recency import Recency


@dataclass(frozen=True)
class MarkovOptions:
    """Settings; the defaults are the first-order chain.

    Attributes:
      of: transitions are counted, and histories end, within a "session" or a "user".
      steps: pairs up to so many events apart count, 1 / distance each.
      last: newest events that are asked what follows.
      decay: weight of an event over that of the one after it.
      normalize: divide by the transitions of the item asked; else counts as they are.
      history: added to every item of the user's whole history.
      history_decay: factor of that for each event further back; None adds it once an
        item, however often it was met.
      popularity: of the most popular item; small, it parts ties.
    """

    of: Literal["session", "user"] = "user"
    steps: int = 1
    last: int = 1
    decay: float = 1.0
    normalize: bool = False
    history: float = 0.0
    history_decay: float | None = None
    popularity: float = 1e-3


@dataclass(frozen=True)
class Markov:
    """Scores of `N` items for `Q` targets.

    Attributes:
      options: the settings.
      transitions: item asked -> item that follows, sparse f32[N, N].
      popularity: training events of each item, the largest 1, f32[N].
      asked: weights of the items asked, sparse f32[Q, N].
      history: what is added for the history, sparse f32[Q, N].
    """

    options: MarkovOptions
    transitions: sparse.csr_array
    popularity: np.ndarray
    asked: sparse.csr_array
    history: sparse.csr_array

    @classmethod
    def fit(
        cls,
        data: Sessions,
        train: np.ndarray,
        targets: np.ndarray,
        options: MarkovOptions | None = None,
    ) -> Markov:
        """Counts transitions.

        Args:
          data: the sessions.
          train: whether each event trains, bool[E]; a pair counts if its later one
            does.
          targets: events to predict [Q]; all that is before them is visible.
          options: the settings.
        """
        options = options or MarkovOptions()
        item, size = np.asarray(data.item), len(data.item_ids)
        user_start = _start(data.session_start[data.user_start], len(item))
        start = user_start
        if options.of == "session":
            start = _start(data.session_start, len(item))
        counts = np.bincount(item[train], minlength=size).astype(np.float32)
        return cls(
            options,
            _transitions(item, start, train, size, options),
            counts / max(counts.max(), 1),
            _weights(
                item, start, targets, size, options.decay ** np.arange(options.last)
            ),
            _history(item, user_start, targets, size, options),
        )

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        rows = slice(start, stop)
        found = self.asked[rows] @ self.transitions + self.history[rows]
        return found.toarray() + self.options.popularity * self.popularity

    def first(self) -> np.ndarray:
        """Returns whether nothing is asked for a target, bool[Q]."""
        return np.diff(self.asked.indptr) == 0


@dataclass(frozen=True)
class RecentMarkov:
    """A Markov chain over the items of the last hour; the hour alone at a start.

    Attributes:
      markov: the chain.
      recency: counts of the window.
      weight: of a count, beside transitions.
    """

    markov: Markov
    recency: Recency
    weight: float = 1e-3

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]; 0 for items that nobody clicked on."""
        counts = self.recency.scores(start, stop)
        scores = self.markov.scores(start, stop) + self.weight * counts
        alone = self.markov.first()[start:stop, None]
        return np.where(counts > 0, np.where(alone, counts, scores), 0.0)


def _start(starts: np.ndarray, size: int) -> np.ndarray:
    """Returns where the part that holds each event begins [E]."""
    return np.repeat(starts[:-1], np.diff(np.r_[starts[:-1], size]))


def _transitions(
    item: np.ndarray,
    start: np.ndarray,
    train: np.ndarray,
    size: int,
    options: MarkovOptions,
) -> sparse.csr_array:
    parts = []
    for gap in range(1, options.steps + 1):
        later = np.flatnonzero(train)
        later = later[later - gap >= start[later]]
        weight = np.full(len(later), 1 / gap, np.float32)
        parts.append((weight, item[later - gap], item[later]))
    weight, source, target = map(np.concatenate, zip(*parts, strict=True))
    counted = sparse.csr_array((weight, (source, target)), shape=(size, size))
    if not options.normalize:
        return counted
    total = np.maximum(np.asarray(counted.sum(1)).ravel(), 1e-12)
    return sparse.csr_array(sparse.diags_array(1 / total) @ counted)


def _weights(
    item: np.ndarray,
    start: np.ndarray,
    targets: np.ndarray,
    size: int,
    weights: np.ndarray,
) -> sparse.csr_array:
    """Returns weights[k] for the k-th newest item before each target."""
    places = targets[:, None] - 1 - np.arange(len(weights))
    inside = places >= start[targets][:, None]
    row = np.repeat(np.arange(len(targets)), inside.sum(1))
    values = np.broadcast_to(weights, places.shape)[inside].astype(np.float32)
    shape = len(targets), size
    return sparse.csr_array((values, (row, item[places[inside]])), shape=shape)


def _history(
    item: np.ndarray,
    start: np.ndarray,
    targets: np.ndarray,
    size: int,
    options: MarkovOptions,
) -> sparse.csr_array:
    if not options.history:
        return sparse.csr_array((len(targets), size), dtype=np.float32)
    longest = int((targets - start[targets]).max(initial=0))
    decay = 1.0 if options.history_decay is None else options.history_decay
    weights = options.history * decay ** np.arange(longest)
    found = _weights(item, start, targets, size, weights)
    found.sum_duplicates()
    if options.history_decay is None:
        found.data[:] = options.history
    return found
