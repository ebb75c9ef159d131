"""Positions and counts over mapped columns of any length, without copies of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 20


def positions(mask: np.ndarray) -> np.ndarray:
    """Returns where a mask [E] holds, rising; int32 where that is enough."""
    wide = len(mask) > np.iinfo(np.int32).max
    found = np.empty(np.count_nonzero(mask), np.int64 if wide else np.int32)
    filled = 0
    for place, part in blocks(mask):
        held = np.flatnonzero(part)
        found[filled : filled + len(held)] = held + place.start
        filled += len(held)
    return found


def counts(values: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Returns how often each number stands in some rows of a column, i64[size].

    Args:
      values: integers in 0..size-1 [E].
      rows: positions in it [M].
      size: numbers there are.
    """
    found = np.zeros(size, np.int64)
    for _, some in blocks(rows):
        found += np.bincount(values[some], minlength=size)
    return found


def blocks(values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields the parts of a column, and where each stands."""
    for start in range(0, len(values), BLOCK):
        yield slice(start, start + BLOCK), values[start : start + BLOCK]
