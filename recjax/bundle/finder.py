"""How a bundle finds items: by vectors, by all that is added up, under conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recjax.bundle import engine, fusion, item_columns
from recjax.evals.fused import FusedParts
from recjax.index.engine import Pushed
from recjax.index.exact import largest
from recjax.index.filters import as_list
from recjax.index.item_vectors import ItemVectors
from recjax.index.scann import Index

if TYPE_CHECKING:
    import polars as pl

CONDITIONS = 16
"""Sets of conditions whose items are remembered."""


@dataclass(frozen=True)
class Finder:
    """Finds the items of a bundle.

    Attributes:
      items: of the bundle.
      open_index: returns what finds the items nearest to vectors.
      open_fusion: returns what is added up to find items; None where vectors alone do.
      read_columns: returns what is known of the items beside their vectors.
    """

    items: ItemVectors
    open_index: Callable[[], Index | Pushed]
    open_fusion: Callable[[], FusedParts | None]
    read_columns: Callable[[], pl.DataFrame]

    @cached_property
    def columns(self) -> pl.DataFrame:
        """What is known of the items beside their vectors.

        Raises:
          UserError: nothing is.
        """
        return self.read_columns()

    def find(
        self,
        vectors: np.ndarray,
        raw: Mapping[str, Sequence[Any]],
        k: int,
        where: str | Sequence[str] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the best `k` items and their scores [B, K], by all that counts.

        Args:
          vectors: of the queries f32[B, D].
          raw: the queries, of which a fusion reads more than the vectors tell.
          k: at least 1; K is at most the number of items.
          where: conditions on the items' columns that all hold. Where fewer meet them,
            the rest is item -1 with score -inf.

        Raises:
          UserError: one is no condition.
        """
        added = self.open_fusion()
        if added is None:
            return self.near(vectors, k, where)
        asked = fusion.raw_queries(raw, len(vectors), self.items.rows)
        model = vectors @ np.asarray(self.items.vectors).T if added.model else None
        among = self.meeting(where) if where else None
        scores = added.scores(asked, model, among)
        items, scores = largest(scores, min(k, scores.shape[1]))
        return items if among is None else np.where(among[items], items, -1), scores

    def near(
        self, vectors: np.ndarray, k: int, where: str | Sequence[str] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the nearest `k` items of vectors [B, D], and scores [B, K].

        Raises:
          UserError: see `find`.
        """
        index = self.open_index()
        if not where:
            return index.search(vectors, k)
        if isinstance(index, Pushed):
            return engine.filtered(index, where)(vectors, k)
        search = partial(index.search, vectors)
        return item_columns.kept(search, self.meeting(where), k)

    def meeting(self, where: str | Sequence[str]) -> np.ndarray:
        """Returns whether items meet all conditions, bool[N].

        Raises:
          UserError: one is none, or nothing is known of the items.
        """
        return self._meeting(tuple(as_list(where)))

    def check(self, where: str | Sequence[str]) -> None:
        """Checks conditions, before they are asked for.

        Raises:
          UserError: see `meeting`.
        """
        index = self.open_index() if where and self.open_fusion() is None else None
        if isinstance(index, Pushed):
            engine.filtered(index, where)
        elif where:
            self.meeting(where)

    @cached_property
    def _meeting(self) -> Callable[[tuple[str, ...]], np.ndarray]:
        # The same few conditions are asked for again and again.
        return lru_cache(CONDITIONS)(partial(item_columns.fits, self.columns))
