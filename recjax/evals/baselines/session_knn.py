"""Item-kNN over sessions, GRU4Rec's baseline (Hidasi et al. 2016, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recjax.data.dataset import HasEvents
from recjax.evals.linear_scorer import Asked, Learned, LinearScorer
from recjax.evals.scorer import Need


@dataclass(frozen=True)
class SessionKnn(LinearScorer):
    """Items that share sessions with the last ones; defaults of GRU4Rec's code.

    Attributes:
      neighbours: most similar items that are kept of each item.
      shrink: added to an item's number of sessions, so that rare items say less.
      last: newest events of the user that are asked, across sessions.
      decay: weight of an event over that of the one after it.
    """

    neighbours: int = 100
    shrink: float = 20.0
    last: int = 1
    decay: float = 1.0
    needs: ClassVar[tuple[Need, ...]] = ("events", "history", "sessions")

    def learn(self, data: HasEvents, corpus: str) -> Learned:
        """Counts sessions that hold both items, in the training events."""
        events = data.log.where(data.train)
        ones = np.ones(len(events), np.float32)
        shape = int(np.asarray(data.log.session).max(initial=-1)) + 1, events.num_items
        held = sparse.csr_array((ones, (events.session, events.item)), shape)
        held.data[:] = 1  # an item counts once a session
        norm = 1 / np.sqrt(held.sum(0) + self.shrink)
        similarity = sparse.csr_array((held.T @ held).multiply(norm[:, None] * norm))
        return Learned(nearest(similarity, self.neighbours))

    def ask(self, learned: Learned, queries: Asked) -> tuple[sparse.csr_array, None]:
        """Weighs the newest events of each query."""
        size = learned.size
        past = queries.past
        return past.weights(lambda back, _: self.decay**back, size, self.last), None


def nearest(similarity: sparse.csr_array, count: int) -> sparse.csr_array:
    """Returns the `count` largest of each row but the diagonal; ties by item."""
    whole = similarity.tocoo()
    other = whole.row != whole.col
    row, column, value = whole.row[other], whole.col[other], whole.data[other]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < count
    found = value[kept].astype(np.float32), (row[kept], column[kept])
    return sparse.csr_array(found, shape=similarity.shape)
