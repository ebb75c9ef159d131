"""Embeddings of users as scorers of items: PinnerSage's, and those of its rivals.

The embeddings that are asked with take turns, as in retrieval: the best item of each,
then the second of each. What the user has is no candidate, so that lists are full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from recjax.bundle.items import open_items
from recjax.data.dataset import HasQueries, Queries
from recjax.data.events import Histories
from recjax.evals.scorer import Need
from recjax.index.exact import finite_matrix, largest
from recjax.index.item_vectors import ItemVectors
from recjax.seconds import DAY
from recjax.users.dendrogram import Tree, cut
from recjax.users.importance import sample, top
from recjax.users.paper.methods import Clustered, Embeddings
from recjax.users.settings import Settings
from recjax.users.ward import ward

Method = Callable[[np.ndarray, np.ndarray], Embeddings]
"""(actions [m, D], ages in days [m]) -> embeddings [C, D], importance [C]."""
SCORES = 1 << 25
"""Cosines at a time."""


class Shared:
    """What scorers of the same vectors have in common: it is made once.

    Attributes:
      trees: Ward's clustering of a stretch of the log's items.
    """

    def __init__(self) -> None:
        """Holds nothing yet."""
        self.trees: dict[bytes, Tree] = {}
        self._unit: tuple[Any, np.ndarray] | None = None

    def unit(self, vectors: ItemVectors | Path | str, data: HasQueries, corpus: str):
        """Returns unit vectors of a corpus's items [N, D]; zero where there is none."""
        if self._unit is None or self._unit[0] is not data:
            self._unit = data, _unit_of(vectors, data.corpora[corpus].ids)
        return self._unit[1]

    def tree(self, points: np.ndarray) -> Tree:
        """Returns Ward's merges of points."""
        key = points.tobytes()
        if (found := self.trees.get(key)) is None:
            found = self.trees[key] = ward(points)
        return found


@dataclass(frozen=True)
class Embedded:
    """A way to make embeddings of users, as a scorer.

    Attributes:
      vectors: of the items: a bundle, a folder of vectors, or these.
      method: makes them of a history.
      e: how many of them are asked with.
      sampled: they are drawn in proportion to importance; else the most important.
      total: items that are found; all others score 0.
      shared: with others of the same vectors.
    """

    vectors: ItemVectors | Path | str
    method: Method | None = None
    e: int = 3
    sampled: bool = False
    total: int = 400
    shared: Shared = field(default_factory=Shared, compare=False, repr=False)
    needs: ClassVar[tuple[Need, ...]] = ("history",)

    def embeddings(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings of a history, and the importance of each."""
        if self.method is None:
            raise ValueError("no method")
        return self.method(points, age)

    def unserved(self) -> str:
        """A bundle holds what was learned once."""
        return "it clusters each history anew"

    def fit(self, data: HasQueries, queries: Queries) -> InterestScores:
        """Returns the scores of queries."""
        unit = self.shared.unit(self.vectors, data, queries.corpus)
        return InterestScores(self, unit, queries)


@dataclass(frozen=True)
class Interests(Embedded):
    """PinnerSage: clusters of what a user did, by Ward's rule.

    The defaults are the paper's, but for alpha, which it does not tell.

    Attributes:
      alpha: largest height of a merge, in squared distance of unit vectors.
      decay: of importance, per day.
      kind: what stands for a cluster.

    Example:
      Fusion({"counts": ItemKnn(), "interests": Interests("bundles/a")})
    """

    sampled: bool = True
    alpha: float = 1.0
    decay: float = 0.01
    kind: str = "medoid"

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
          ValueError: one is out of range.
        """
        Settings(self.alpha, self.decay)
        if self.kind not in ("medoid", "centroid") or self.e < 1:
            raise ValueError(
                f"kind {self.kind!r}: medoid or centroid; e {self.e}: >= 1"
            )

    def embeddings(self, points: np.ndarray, age: np.ndarray) -> Embeddings:
        """Returns the embeddings of a history, and the importance of each."""
        label = cut(self.shared.tree(points), self.alpha)
        return Clustered(lambda _: label, self.decay, self.kind == "centroid")(
            points, age
        )


@dataclass(frozen=True)
class InterestScores:
    """Scores of the items that embeddings find, in turns.

    Attributes:
      settings: the scorer.
      unit: vectors of the items, [N, D].
      queries: the users.
    """

    settings: Embedded
    unit: np.ndarray
    queries: Queries

    def scores(self, start: int, stop: int) -> np.ndarray:
        """Returns float32 [stop - start, N]: from 1 for the first, 0 for the rest."""
        out = np.zeros((stop - start, len(self.unit)), np.float32)
        for row, found in enumerate(self._found(start, stop)):
            out[row, found] = 1 - np.arange(len(found)) / self.settings.total
        return out

    def _found(self, start: int, stop: int) -> list[np.ndarray]:
        asked = [self._asked(query) for query in range(start, stop)]
        total, size = min(self.settings.total, len(self.unit)), len(self.unit)
        task, found = self.queries.task, []
        step = max(SCORES // max(size * self.settings.e, 1), 1)
        for first in range(0, len(asked), step):
            part = asked[first : first + step]
            whose = np.repeat(np.arange(len(part)), [len(one) for one in part])
            scores = np.concatenate(part) @ self.unit.T
            for row in range(len(part)):
                at = task.exclude_offsets[start + first + row :][:2]
                scores[np.ix_(whose == row, task.exclude[at[0] : at[1]])] = -np.inf
            items, best = largest(scores, total)
            items[best == -np.inf] = -1
            found += [_turns(items[whose == row], total) for row in range(len(part))]
        return found

    def _asked(self, query: int) -> np.ndarray:
        """Returns the embeddings that a query asks with."""
        history, settings = self.queries.past, self.settings
        points, age = _past(history, query, self.unit)
        if not len(points):
            return points
        embeddings, weight = settings.embeddings(points, age)
        if settings.sampled:
            draw = np.random.default_rng([0, int(history.start[query])])
            return embeddings[sample(weight, settings.e, draw)]
        return embeddings[top(weight, settings.e)]


def _past(
    history: Histories, query: int, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points of a query's history that have a vector, and ages in days."""
    at = slice(history.start[query], history.stop[query])
    points = unit[history.items[at]]
    age = np.zeros(len(points))
    if history.time is not None and history.when is not None:
        age = (history.when[query] - history.time[at]) / DAY
    has = points.any(1)
    return points[has], age[has]


def _turns(items: np.ndarray, total: int) -> np.ndarray:
    """Returns distinct items of answers [e, K] in turns; -1 is none."""
    turns = items.T.ravel()
    turns = turns[turns >= 0]
    _, first = np.unique(turns, return_index=True)
    return turns[np.sort(first)][:total]


def _unit_of(vectors: ItemVectors | Path | str, ids: tuple[str, ...]) -> np.ndarray:
    known = vectors if isinstance(vectors, ItemVectors) else open_items(vectors)
    if known.ids == ids:
        found = np.asarray(known.vectors, np.float32)
    else:
        rows = np.array([known.rows.get(id, -1) for id in ids])
        found = np.zeros((len(ids), known.vectors.shape[1]), np.float32)
        found[rows >= 0] = np.asarray(known.vectors[rows[rows >= 0]], np.float32)
    found = finite_matrix(str(known.place), found)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(length > 0, length, 1)
