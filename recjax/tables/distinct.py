"""How many different values a column has, without keeping them."""

from __future__ import annotations

import numpy as np
import polars as pl

KEPT = 4_096
"""Hashes that are kept: fewer values are counted, more estimated to some percent."""


class Distinct:
    """Counts by the smallest hashes (KMV; Bar-Yossef et al., RANDOM 2002)."""

    def __init__(self) -> None:
        """Starts with no value."""
        self._hashes = np.zeros(0, np.uint64)
        self._values = 0

    def add(self, values: pl.Series) -> None:
        """Adds values, none of them missing."""
        found = np.unique(values.hash().to_numpy())
        self._hashes = np.union1d(self._hashes, found)[:KEPT]
        self._values += len(values)

    @property
    def exact(self) -> bool:
        """Whether the count is exact."""
        return len(self._hashes) < KEPT

    @property
    def count(self) -> int:
        """How many different values, about where not `exact`; at most all of them."""
        if self.exact:
            return len(self._hashes)
        about = round((KEPT - 1) * 2.0**64 / float(self._hashes[-1]))
        return min(about, self._values)
