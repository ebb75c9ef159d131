"""Search pairs: queries with judged products, as columns in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recjax.data.given_split import given_split
from recjax.data.interactions import texts_of
from recjax.data.prepared import Prepared, as_texts, seconds
from recjax.data.splits import Examples
from recjax.errors import UserError
from recjax.tables.typed import Table, TypedColumn
from recjax.text.column import Texts, pack


@dataclass(frozen=True)
class SearchPairs:
    """`P` judged (query, product) pairs in input order.

    Attributes:
      query: i32[P], row of the queries.
      product: i32[P], row of the products.
      relevance: f32[P], on the source's own scale, at least 0.
      tables: of "query" and of the products.
      kind: name of the table of products.
      timestamp: i64[P], unix seconds; None where it is not known.
      split: i8[P], as a column `split` says; None without one.
    """

    query: np.ndarray
    product: np.ndarray
    relevance: np.ndarray
    tables: Mapping[str, Table]
    kind: str = "item"
    timestamp: np.ndarray | None = None
    split: np.ndarray | None = None

    @property
    def examples(self) -> Examples:
        """What is known of the pairs that decides to which split one belongs."""
        query = self.queries, self.query
        known = Examples("pairs", time=self.timestamp, item=self.product, query=query)
        return replace(known, column=self.split)

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """Distinct query texts."""
        return tuple(query_texts(self.tables["query"]))

    @cached_property
    def product_ids(self) -> tuple[str, ...]:
        """Raw product ids: the whole corpus."""
        return tuple(self.tables[self.kind]["id"].vocabulary)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """One text a product."""
        return texts_of(self.tables[self.kind], "title")


def load_search_pairs(name: str | Path) -> SearchPairs:
    """Opens the graded judgements of a prepared data set, all of one kind of candidate.

    Without any, products alone are opened: its one table of entities besides queries.

    Raises:
      UserError: it is not prepared, damaged, or has no grades or several kinds.
    """
    known = Prepared.open(name)
    if not {"judgements", "events"} & set(known.tables):
        return _unjudged(known)
    judgements = known.table("judgements", "query", "candidate", "grade")
    kinds = np.unique(judgements["candidate_type"].array)
    names = judgements["candidate_type"].vocabulary.take(kinds)
    if len(names) != 1:
        raise UserError(
            f"{known.path} judges {', '.join(names)}: search takes one kind of "
            "candidate; use CatalogSearch for several"
        )
    tables = (judgements, known.table("query"), known.table(names[0]))
    return search_pairs_of(*tables, names[0])


def search_pairs_of(
    judgements: Table, queries: Table, products: Table, kind: str
) -> SearchPairs:
    """Returns the columns of tables that belong together."""
    timed = "timestamp" in judgements
    return SearchPairs(
        query=judgements["query"].array,
        product=judgements["candidate"].array,
        relevance=judgements["grade"].array,
        tables={"query": queries, kind: products},
        kind=kind,
        timestamp=seconds(judgements["timestamp"]) if timed else None,
        split=given_split(judgements, "judgements"),
    )


def _unjudged(known: Prepared) -> SearchPairs:
    kinds = [one for one in known.tables if one not in ("query", "user")]
    if len(kinds) != 1:
        raise UserError(
            f"{known.path} has no judgements, and {', '.join(kinds) or 'no products'}: "
            "search takes one kind of thing"
        )
    none = np.zeros(0, np.int32)
    tables = {"query": _no_queries(), kinds[0]: known.table(kinds[0])}
    return SearchPairs(none, none, none.astype(np.float32), tables, kinds[0])


def _no_queries() -> Table:
    """Returns a table of no queries."""
    ids = TypedColumn("id", "id", np.zeros(0, np.int32), pack([]))
    return Table(0, {"id": ids})


def query_texts(queries: Table) -> Texts:
    """Returns the text of each query: its column `text`, or else its id."""
    return as_texts(queries["text"]) if "text" in queries else queries["id"].vocabulary
