"""Exact top-k: all vectors are scored for each query, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recjax.errors import UserError

BLOCK, TILE = 256, 65_536
"""Queries and vectors at a time: 64 MiB of scores."""
GROUP = 128
"""Scores whose largest is looked at first."""

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(queries [Q, D], vectors [N, D]) -> [Q, N]; more is better."""
Best = tuple[np.ndarray, np.ndarray]


def dot(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Returns dot products, [Q, N]."""
    return queries @ vectors.T


@dataclass(frozen=True)
class Exact:
    """Vectors that are searched one and all; NaN is looked for once, here.

    Attributes:
      vectors: finite, [N, D]; an array, or what gives float32 where it is read.
      score: of queries and vectors.
      name: of the vectors, for messages.

    Example:
      items, scores = Exact(vectors).search(queries, 10)
    """

    vectors: Any
    score: Score = dot
    name: str = "vectors"

    def __post_init__(self) -> None:
        """Checks the vectors.

        Raises:
          UserError: they are no finite matrix.
        """
        if isinstance(self.vectors, np.ndarray):
            checked = finite_matrix(self.name, self.vectors)
            object.__setattr__(self, "vectors", checked)

    def search(self, queries: np.ndarray, k: int) -> Best:
        """Returns (items i32[Q, K], scores [Q, K]), best first; K = min(k, N).

        Equal scores are ordered by item.

        Raises:
          UserError: `queries` is no finite [Q, D], or `k` is not positive.
        """
        if k < 1:
            raise UserError(f"k = {k}: ask for at least one result")
        k, width = min(k, len(self.vectors)), self.vectors.shape[1]
        queries = finite_matrix("queries", queries, width).astype(self.vectors.dtype)
        starts = range(0, max(len(queries), 1), BLOCK)
        found = [self._best(queries[start : start + BLOCK], k) for start in starts]
        items, scores = map(np.concatenate, zip(*found, strict=True))
        return items.astype(np.int32), scores

    def _best(self, queries: np.ndarray, k: int) -> Best:
        items, best = self._of_tile(queries, 0, k)
        for start in range(TILE, len(self.vectors), TILE):
            more, scores = self._of_tile(queries, start, k)
            # Those of earlier tiles stand first, as ties want it.
            items, best = np.hstack([items, more]), np.hstack([best, scores])
            places, best = largest(best, min(k, best.shape[1]))
            items = np.take_along_axis(items, places, 1)
        return items, best

    def _of_tile(self, queries: np.ndarray, start: int, k: int) -> Best:
        scores = self.score(queries, self.vectors[start : start + TILE])
        items, best = largest(scores, min(k, scores.shape[1]))
        return start + items, best


def largest(scores: np.ndarray, k: int) -> Best:
    """Returns places and values of the `k` largest of each row [Q, K], best first.

    Of scores [Q, N] without NaN; equal ones are ordered by place, `k` is at most `N`.
    """
    if scores.shape[1] < 2 * k * GROUP or not k or not len(scores):
        return _of_few(scores, k)
    whole = scores.shape[1] - scores.shape[1] % GROUP
    starts = np.arange(0, whole, GROUP)
    most = np.maximum.reduceat(scores[:, :whole], starts, axis=1)
    # No group below the k largest of these holds one of the k largest.
    lowest = np.partition(most, -k, axis=1)[:, -k, None]
    near = most >= lowest
    tied = np.count_nonzero(near, axis=1) > 2 * k
    near[tied] = False
    row, group = np.nonzero(near)
    values = scores[:, :whole].reshape(len(scores), -1, GROUP)[row, group]
    # Of a flat array NumPy finds them ten times as fast.
    pair, offset = np.divmod(np.flatnonzero(values >= lowest[row]), GROUP)
    last, behind = np.nonzero((scores[:, whole:] >= lowest) & ~tied[:, None])
    rows = np.concatenate([row[pair], last])
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=len(scores))
    at = (
        rows[order],
        np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts),
    )
    places = np.zeros((len(scores), max(counts.max(), k)), np.int64)
    there = np.full(places.shape, -np.inf, scores.dtype)
    places[at] = np.concatenate([GROUP * group[pair] + offset, whole + behind])[order]
    there[at] = np.concatenate([values[pair, offset], scores[last, whole + behind]])[
        order
    ]
    found, best = _of_few(there, k)
    items = np.take_along_axis(places, found, 1)
    if tied.any():
        items[tied], best[tied] = _of_few(scores[tied], k)
    return items, best


def _of_few(scores: np.ndarray, k: int) -> Best:
    """See `largest`; each score is moved several times."""
    if not k or not len(scores):
        return np.zeros((len(scores), k), np.int64), scores[:, :k]
    lowest = np.partition(scores, -k, axis=1)[:, -k, None]
    kept = scores >= lowest
    if np.count_nonzero(kept) > k * len(scores):  # Of ties at the edge, the first.
        above = scores > lowest
        room = k - above.sum(1, keepdims=True)
        kept = above | (kept & ((kept & ~above).cumsum(1, dtype=np.int32) <= room))
    items = np.nonzero(kept)[1].reshape(len(scores), k)
    best = np.take_along_axis(scores, items, 1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(items, order, 1), np.take_along_axis(best, order, 1)


def finite_matrix(name: str, values: np.ndarray, dim: int | None = None) -> np.ndarray:
    """Returns `values` as a contiguous matrix of floats, [any, dim].

    Raises:
      UserError: the shape differs or a value is not finite; the message names it.
    """
    values = np.asarray(values)
    kind = values.dtype if values.dtype.kind == "f" else np.float32
    try:
        values = np.ascontiguousarray(values, kind)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: no matrix of numbers ({error})") from error
    if values.ndim != 2 or values.shape[1] != (dim or values.shape[1]):
        wanted = f"[any, {dim or 'D'}]"
        raise UserError(f"{name}: shape {list(values.shape)}, but it must be {wanted}")
    finite = np.isfinite(values).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise UserError(f"{name}: row {row} holds NaN or infinity; fix the model")
    return values
