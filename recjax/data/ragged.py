"""Columns of entities that are padded where they are read, not where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recjax.data.catalog.entities import Vectors

Index = np.ndarray | slice


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths that read as an array [N, length], zeros at the end.

    Attributes:
      values: all rows end to end; may be memory-mapped.
      offsets: i64[N + 1]: row `i` is `values[offsets[i]:offsets[i + 1]]`.
      length: most values of a row that are read.
    """

    values: np.ndarray
    offsets: np.ndarray
    length: int

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.offsets) - 1

    def __getitem__(self, index: Index) -> np.ndarray:
        """Returns the rows at `index`, [n, length]."""
        rows = rows_of(index, len(self))
        starts = self.offsets[rows]
        counts = np.minimum(self.offsets[rows + 1] - starts, self.length)
        held = np.arange(self.length) < counts[:, None]
        found = np.zeros(held.shape, self.values.dtype)
        found[held] = self.values[(starts[:, None] + np.arange(self.length))[held]]
        return found


@dataclass(frozen=True)
class VectorLists:
    """The vectors of entities as an array [N, most, D], zeros where there are fewer.

    Attributes:
      vectors: of the entities.
      most: vectors an entity that are read.
      there: read which of them exist instead, bool[N, most].
    """

    vectors: Vectors
    most: int
    there: bool = False

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.vectors)

    def __getitem__(self, index: Index) -> np.ndarray:
        """Returns the rows at `index`."""
        rows = rows_of(index, len(self))
        if not self.there:
            return self.vectors.take(rows, self.most)[0]
        counts = self.vectors.offsets[rows + 1] - self.vectors.offsets[rows]
        return np.arange(self.most) < counts[:, None]


def rows_of(index: Index, size: int) -> np.ndarray:
    """Returns the row numbers that an index of `size` rows means."""
    if isinstance(index, slice):
        return np.arange(*index.indices(size))
    return np.asarray(index)
