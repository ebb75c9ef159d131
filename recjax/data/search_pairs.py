"""Search pairs: queries with judged products, as columns in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recjax.data import records
from recjax.data.interactions import index_of


@dataclass(frozen=True)
class SearchPairs:
    """`P` judged (query, product) pairs in input order.

    Attributes:
      query: i32[P], index into `queries`.
      product: i32[P], index into `product_ids`.
      relevance: f32[P], on the source's own scale, at least 0.
      queries: distinct query texts.
      product_ids: raw product ids: the whole corpus.
      titles: one text a product.
    """

    query: np.ndarray
    product: np.ndarray
    relevance: np.ndarray
    queries: tuple[str, ...]
    product_ids: tuple[str, ...]
    titles: tuple[str, ...]


def from_frames(pairs: pl.DataFrame, products: pl.DataFrame) -> SearchPairs:
    """Indexes raw values: queries in order of appearance, products as in their table.

    Args:
      pairs: columns query, product (text), relevance.
      products: columns product, title; every product of `pairs` is in it.
    """
    queries = pairs["query"].unique(maintain_order=True)
    return SearchPairs(
        query=index_of(pairs["query"], queries),
        product=index_of(pairs["product"], products["product"]),
        relevance=pairs["relevance"].cast(pl.Float32).to_numpy(),
        queries=tuple(queries),
        product_ids=tuple(products["product"]),
        titles=tuple(products["title"]),
    )


def load_search_pairs(path: str | Path) -> SearchPairs:
    """Reads a prepared data set of search pairs, without TensorFlow.

    Raises:
      UserError: `path` is missing, damaged or holds another kind of data.
    """
    path = Path(path)
    records.expect(path, "search")
    pairs = list(records.read(path, "pairs"))
    products = list(records.read(path, "products"))
    text = pl.Series([p["query"].decode() for p in pairs], dtype=pl.String)
    queries = text.unique(maintain_order=True)
    return SearchPairs(
        query=index_of(text, queries),
        product=np.array([p["product"] for p in pairs], np.int32),
        relevance=np.array([p["relevance"] for p in pairs], np.float32),
        queries=tuple(queries),
        product_ids=tuple(p["id"].decode() for p in products),
        titles=tuple(p["title"].decode() for p in products),
    )
