"""Scorers that learn once what each word or item says of every item, then add it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from recjax.data.dataset import Queries
from recjax.data.events import Histories


@dataclass(frozen=True)
class LinearScores:
    """asked @ weights + own + same: the scores of most baselines.

    Attributes:
      asked: what is asked for each query, sparse float32 [Q, V].
      weights: what each of that says of each item, sparse float32 [V, N].
      own: what is added for a query, sparse float32 [Q, N]; None for nothing.
      same: what is added for every query, float32 [N]; None for nothing.
    """

    asked: sparse.csr_array
    weights: sparse.csr_array
    own: sparse.csr_array | None = None
    same: np.ndarray | None = None

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]."""
        found = self.asked[start:stop] @ self.weights
        if self.own is not None:
            found = found + self.own[start:stop]
        dense = found.toarray()
        return dense if self.same is None else dense + self.same


class Asked(Protocol):
    """What queries say: `Queries` of a data set, or those that a bundle is asked."""

    def __len__(self) -> int:
        """Returns `Q`."""
        ...

    @property
    def texts(self) -> Sequence[str] | None:
        """Each query as text [Q]; None where they are none."""

    @property
    def past(self) -> Histories:
        """What each query's user did before."""


@dataclass(frozen=True)
class Learned:
    """What a scorer learned of the items.

    Attributes:
      weights: what each word, or item, says of each item, sparse float32 [V, N].
      same: what is added for every query, float32 [N]; None for nothing.
      words: each word's row, for scorers of texts.
    """

    weights: sparse.csr_array
    same: np.ndarray | None = None
    words: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> dict[str, int]:
        """Word -> its row."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def size(self) -> int:
        """`N`."""
        shape: Any = self.weights.shape
        return shape[1]


class LinearScorer:
    """Base of scorers of this kind; see `Scorer`."""

    def learn(self, data: Any, corpus: str) -> Learned:
        """Learns from the training part of the data about a corpus."""
        raise NotImplementedError

    def ask(
        self, learned: Learned, queries: Asked
    ) -> tuple[sparse.csr_array, sparse.csr_array | None]:
        """Returns what is asked [Q, V], and what is added for each query [Q, N]."""
        raise NotImplementedError

    def unserved(self) -> str:
        """Returns why a bundle cannot answer as it does; "" where it can."""
        return ""

    def answer(self, learned: Learned, queries: Asked) -> LinearScores:
        """Returns the scores of queries."""
        asked, own = self.ask(learned, queries)
        return LinearScores(asked, learned.weights, own, learned.same)

    def fit(self, data: Any, queries: Queries) -> Any:
        """Learns, and returns the scores of queries."""
        return self.answer(self.learn(data, queries.corpus), queries)


def of_history_alone(size: int) -> sparse.csr_array:
    """Returns weights by which nothing that is asked says anything, [0, N]."""
    return sparse.csr_array((0, size), dtype=np.float32)
