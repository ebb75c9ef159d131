"""Groups of judged pairs that are worth figures of their own."""

from __future__ import annotations

import numpy as np

from recjax.data.catalog.entities import Entities

RARE = 5
"""Training pairs of a query up to which it is rare."""
NAMES = ("title", "description")
"""Fields without which an entity has no title."""


def cohorts(
    query: np.ndarray,
    item: np.ndarray,
    trained_queries: np.ndarray,
    trained_items: np.ndarray,
    entities: Entities | None,
) -> dict[str, np.ndarray]:
    """Returns name -> whether each judged pair belongs to it, bool[P].

    Args:
      query: of each judged pair [P].
      item: of each judged pair [P].
      trained_queries: query of every training pair.
      trained_items: item of every training pair of this kind.
      entities: the table of the items; None where items are queries.
    """
    seen = _counts(trained_queries, query)
    found = {"new query": seen == 0, "rare query": (seen > 0) & (seen <= RARE)}
    found["new item"] = _counts(trained_items, item) == 0
    if entities is not None:
        named = np.zeros(len(entities), bool)
        for name in NAMES:
            if name in entities.texts:
                named |= entities.texts[name].present
        found["no title"] = ~named[item]
    return found


def _counts(trained: np.ndarray, asked: np.ndarray) -> np.ndarray:
    size = 1 + max(trained.max(initial=-1), asked.max(initial=-1))
    return np.bincount(trained, minlength=size)[asked]
