"""Rows of any number through a function of one shape, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def in_blocks(
    function: Callable[[dict[str, np.ndarray]], Any],
    size: int,
    block: int,
    take: Callable[[slice], Mapping[str, np.ndarray]],
) -> np.ndarray:
    """Returns the results of a function for all rows, float32 [size, ...].

    The function sees arrays of `block` rows alone, so that it is compiled once; zeros
    fill up the last block. Memory: one block, and the results.

    Args:
      function: name -> array [block, ...], to one array [block, ...].
      size: number of rows; without any, the result is [0, 0].
      block: rows at a time, at least 1.
      take: returns name -> array [n, ...] of a slice of the rows.

    Example:
      in_blocks(embed, len(ids), 1_024, lambda rows: {"id": ids[rows]})
    """
    found = None
    for start in range(0, size, block):
        rows = slice(start, min(start + block, size))
        count = rows.stop - start
        part = {name: _filled(array, block) for name, array in take(rows).items()}
        results = np.asarray(function(part))[:count]
        if found is None:  # The one place that knows the width.
            found = np.empty((size, *results.shape[1:]), np.float32)
        found[rows] = results
    return np.zeros((0, 0), np.float32) if found is None else found


def block_of(features: Mapping[str, Any]) -> int:
    """Returns how many rows of some features are a block: fewer where they are images.

    Args:
      features: name -> array [N, ...], or what reads as one.
    """
    images = any(column[:0].ndim == 4 for column in features.values())
    return 64 if images else 1_024


def _filled(array: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(array, ((0, rows - len(array)), *((0, 0),) * (array.ndim - 1)))
