"""Markov chains over items: what followed what, one step or several apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasEvents, Queries
from recjax.data.events import Events, Histories
from recjax.evals.baselines.popularity import RecentPop, WindowCounts
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer, LinearScores
from recjax.evals.scorer import Need, Scores


@dataclass(frozen=True)
class Markov(LinearScorer):
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
      recent: seconds in which an item must have been met by anybody; None for any item.
    """

    of: Literal["session", "user"] = "user"
    steps: int = 1
    last: int = 1
    decay: float = 1.0
    normalize: bool = False
    history: float = 0.0
    history_decay: float | None = None
    popularity: float = 1e-3
    recent: int | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """Sessions or times are needed where the settings ask for them."""
        sessions = ("sessions",) if self.of == "session" else ()
        times = () if self.recent is None else ("times",)
        return ("events", "history", *sessions, *times)

    def learn(self, data: HasEvents, corpus: str) -> Learned:
        """Counts transitions; a pair counts if its later event trains."""
        counts = np.bincount(data.log.item[data.train], minlength=data.log.num_items)
        popular = counts.astype(np.float32) / np.float32(max(counts.max(), 1))
        transitions = self._transitions(data.log, data.train)
        return Learned(transitions, self.popularity * popular)

    def ask(
        self, learned: Learned, queries: Asked
    ) -> tuple[sparse.csr_array, sparse.csr_array | None]:
        """Weighs the newest events of queries, and all that were met."""
        past, size = queries.past, learned.size
        asked = past.weights(
            lambda back, _: self.decay**back, size, self.last, self.of == "session"
        )
        return asked, self._met(past, size)

    def unserved(self) -> str:
        """A bundle knows neither sessions nor what others did of late."""
        if self.recent is not None:
            return "recent: a bundle does not know what was met of late"
        return "of: a bundle does not know sessions" if self.of == "session" else ""

    def fit(self, data: HasEvents, queries: Queries) -> Scores:
        """Learns, and returns the scores of queries."""
        chain: LinearScores = super().fit(data, queries)
        if self.recent is None:
            return chain
        return RecentMarkov(chain, RecentPop(self.recent).fit(data, queries))

    def _met(self, histories: Histories, size: int) -> sparse.csr_array | None:
        """Returns what is added for the history."""
        if not self.history:
            return None
        decay = 1.0 if self.history_decay is None else self.history_decay
        found = histories.weights(lambda back, _: self.history * decay**back, size)
        if self.history_decay is None:
            found.data[:] = self.history
        return found

    def _transitions(self, log: Events, train: np.ndarray) -> sparse.csr_array:
        part = np.asarray(log.session if self.of == "session" else log.user)
        start = np.searchsorted(part, part)
        parts = []
        for gap in range(1, self.steps + 1):
            later = np.flatnonzero(train)
            later = later[later - gap >= start[later]]
            weight = np.full(len(later), 1 / gap, np.float32)
            parts.append((weight, log.item[later - gap], log.item[later]))
        weight, source, target = map(np.concatenate, zip(*parts, strict=True))
        shape = log.num_items, log.num_items
        counted = sparse.csr_array((weight, (source, target)), shape=shape)
        if not self.normalize:
            return counted
        total = np.maximum(np.asarray(counted.sum(1)).ravel(), 1e-12)
        return sparse.csr_array(sparse.diags_array(1 / total) @ counted)


@dataclass(frozen=True)
class RecentMarkov:
    """A Markov chain over the items of a window; the window alone at a start.

    Attributes:
      chain: the chain.
      window: counts of the window.
      weight: of a count, beside transitions.
    """

    chain: LinearScores
    window: WindowCounts
    weight: float = 1e-3

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]; 0 for items that nobody clicked on."""
        counts = self.window.scores(start, stop)
        scores = self.chain.scores(start, stop) + self.weight * counts
        alone = (np.diff(self.chain.asked.indptr) == 0)[start:stop, None]
        return np.where(counts > 0, np.where(alone, counts, scores), 0.0)


HISTORY = Markov(normalize=True, history=0.02, history_decay=0.9, popularity=1e-4)
"""First-order transitions and what the user had before."""
SKIP = Markov(steps=5, last=4, decay=0.3, normalize=True, history=0.02, popularity=1e-4)
"""Five-step transitions of the last four items, and what the user had before."""
