"""Vectors in an engine of its own, where a corpus outgrows a machine's memory.

An engine holds one collection a bundle: a row an item with its place in the bundle, its
id, its vector, and columns to filter by. The place is the key, so that a batch that is
written twice is there once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from recjax.errors import UserError
from recjax.index.exact import finite_matrix
from recjax.index.filters import Filter, Kind

EXACT_BELOW = 200_000
"""Rows below which an engine looks at all vectors."""
Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Layout:
    """What a collection holds.

    Attributes:
      name: of the collection; it ends with a digest of all that is in it.
      width: `D`.
      columns: name -> kind, beside row, id and vector.
    """

    name: str
    width: int
    columns: Mapping[str, Kind]


class Engine(Protocol):
    """A collection of an engine that is open."""

    def exists(self) -> bool:
        """Returns whether the collection is there."""

    def create(self, size: int) -> None:
        """Makes the collection, for so many rows."""

    def count(self) -> int:
        """Returns how many rows are there."""

    def write(self, rows: np.ndarray, vectors: np.ndarray, columns: Columns) -> None:
        """Writes rows, in the place of those of the same number.

        Args:
          rows: places, [n], each write going on after the one before.
          vectors: f32[n, D].
          columns: name -> value of each row; None is missing. "id" is one of them.
        """

    def finish(self, size: int) -> None:
        """Makes what a search needs, once all rows are there."""

    def read(self, rows: Sequence[int]) -> dict[int, tuple[str, np.ndarray]]:
        """Returns place -> id and vector of some rows."""

    def search(
        self, query: np.ndarray, k: int, where: Sequence[Filter], effort: int
    ) -> tuple[list[int], list[float]]:
        """Returns the places of the nearest rows of f32[D], and their dot products."""


@dataclass(frozen=True)
class Pushed:
    """An engine as an index; see `Exact.search`.

    Attributes:
      engine: what is asked.
      layout: what it holds.
      effort: partitions of the collection that a query visits.
      size: items.
    """

    engine: Engine
    layout: Layout
    effort: int = 64
    size: int = 0

    def search(
        self, queries: np.ndarray, k: int, where: Sequence[Filter] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns (items i32[Q, K], scores f32[Q, K]), best first.

        Where fewer than K meet the conditions, the rest is item -1 with score -inf.

        Args:
          queries: f32[Q, D].
          k: K is at most the number of items.
          where: conditions that all hold.

        Raises:
          UserError: bad queries, `k` or conditions; or the engine does not answer.
        """
        if k < 1:
            raise UserError(f"k = {k}: ask for at least one result")
        k = min(k, self.size)
        queries = finite_matrix("queries", queries, self.layout.width)
        where = [one.checked(self.layout.columns) for one in where]
        items = np.full((len(queries), k), -1, np.int32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for at, query in enumerate(queries.astype(np.float32)):
            rows, best = self.engine.search(query, k, where, self.effort)
            items[at, : len(rows)], scores[at, : len(rows)] = rows, best
        return items, scores


def partitions(size: int) -> int:
    """Returns how many partitions a collection of so many rows is given."""
    return max(round(4 * size**0.5), 1)
