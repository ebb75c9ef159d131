"""Ranks of judged items, and what equal scores count as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Ranks:
    """Where the judged items came out.

    Attributes:
      query: the query of each judged item [P].
      rank: its rank among the items that are ranked, from 1 [P]; see `ranks_of`.
      top: the best items of each query, best first [Q, K]; -1 where fewer are ranked.
        `K` is 0 where nobody asked for them.
    """

    query: np.ndarray
    rank: np.ndarray
    top: np.ndarray


Ties = Literal["average", "worst", "optimistic", "order"]
"""Where an item stands among others of its score: in their middle, behind them all,
before them all, or behind those that come before it in the corpus. Corpora are rarely
in random order: figures by "order" say so."""

_BEFORE = {"average": 0.5, "worst": 1.0, "optimistic": 0.0, "order": 1.0}


def ranks_of(above: np.ndarray, tied: np.ndarray, ties: Ties) -> np.ndarray:
    """Returns ranks from 1, float64: the one place where ties are averaged.

    Args:
      above: how many items score more.
      tied: how many *other* items score the same; by "order", only those before it.
      ties: how many of the tied ones stand before an item.

    Raises:
      ValueError: no such tie rule.
    """
    if ties not in _BEFORE:
        raise ValueError(f"ties is {ties!r}, must be one of {', '.join(_BEFORE)}")
    return 1.0 + above + _BEFORE[ties] * tied
