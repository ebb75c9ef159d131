"""Item-kNN over sessions, GRU4Rec's baseline (Hidasi et al. 2016, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recjax.data.sessions.read import Sessions


@dataclass(frozen=True)
class KnnOptions:
    """Settings; the defaults are those of GRU4Rec's code.

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


@dataclass(frozen=True)
class SessionKnn:
    """Scores items by how often they share a session with the last ones.

    Attributes:
      similarity: item -> its neighbours, sparse f32[N, N].
      asked: weights of the items asked, sparse f32[Q, N].
    """

    similarity: sparse.csr_array
    asked: sparse.csr_array

    @classmethod
    def fit(
        cls,
        data: Sessions,
        train: np.ndarray,
        targets: np.ndarray,
        options: KnnOptions | None = None,
    ) -> SessionKnn:
        """Counts sessions that hold both items.

        Args:
          data: the sessions.
          train: whether each event trains, bool[E].
          targets: events to predict [Q]; all that is before them is visible.
          options: the settings.
        """
        options = options or KnnOptions()
        item, size = np.asarray(data.item), len(data.item_ids)
        shape = len(data.session_start) - 1, size
        ones = np.ones(int(train.sum()), np.float32)
        held = sparse.csr_array((ones, (data.event_session[train], item[train])), shape)
        held.data[:] = 1  # an item counts once a session
        norm = 1 / np.sqrt(held.sum(0) + options.shrink)
        similarity = sparse.csr_array((held.T @ held).multiply(norm[:, None] * norm))
        return cls(
            nearest(similarity, options.neighbours), _asked(data, targets, options)
        )

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        return (self.asked[start:stop] @ self.similarity).toarray()


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


def _asked(
    data: Sessions, targets: np.ndarray, options: KnnOptions
) -> sparse.csr_array:
    user = data.session_user[data.event_session[targets]]
    first = np.asarray(data.session_start)[data.user_start[user]]
    place = targets[:, None] - 1 - np.arange(options.last)
    row, back = np.nonzero(place >= first[:, None])
    weight = (options.decay**back).astype(np.float32)
    item = np.asarray(data.item)[place[row, back]]
    shape = len(targets), len(data.item_ids)
    return sparse.csr_array((weight, (row, item)), shape=shape)
