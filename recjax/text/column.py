"""Texts as one column: UTF-8 bytes end to end, and where each text ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # Training does without Polars.
    import polars as pl

BLOCK = 4_096
"""Texts that are taken into memory at once where all are gone through."""


@dataclass(frozen=True)
class Texts:
    """`N` texts.

    Attributes:
      data: u8[bytes], all texts in UTF-8, end to end.
      offsets: i64[N + 1]: text `i` is `data[offsets[i]:offsets[i + 1]]`.
    """

    data: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        """Returns `N`."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        """Returns one text; "" where there is none."""
        return self.encoded(index).decode()

    def encoded(self, index: int) -> bytes:
        """Returns the bytes of one text."""
        return bytes(self.data[self.offsets[index] : self.offsets[index + 1]])

    def __iter__(self) -> Iterator[str]:
        """Yields the texts in order."""
        for first in range(0, len(self), BLOCK):
            # Plain bytes and integers: indexing a mapped array takes microseconds.
            ends = self.offsets[first : first + BLOCK + 1].tolist()
            start = ends[0]
            data = bytes(self.data[start : ends[-1]])
            for a, b in itertools.pairwise(ends):
                yield data[a - start : b - start].decode()

    def take(self, indices: np.ndarray) -> list[str]:
        """Returns the texts at `indices`."""
        return [self[i] for i in indices]

    @property
    def present(self) -> np.ndarray:
        """bool[N]: whether there is a text."""
        return np.diff(self.offsets) > 0


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Returns i64[N + 1] where each of `N` parts starts, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def pack(texts: Sequence[str] | pl.Series) -> Texts:
    """Returns texts as a column; None counts as ""."""
    import polars as pl

    series = pl.Series(texts, dtype=pl.String).fill_null("").rechunk()
    if not len(series):
        return Texts(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    arrow = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = arrow.buffers()
    offsets = np.frombuffer(offsets, np.int64)[arrow.offset :][: len(arrow) + 1]
    data = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    return Texts(data, offsets - offsets[0])
