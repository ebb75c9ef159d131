"""The square matrix of squared distances that clustering begins with, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from recjax.extras import compiled
from recjax.users.kernels import layout
from recjax.users.kernels.blas import lower_products
from recjax.users.kernels.mirror import BLOCK, lift_and_mirror

FAST: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
"""Without Python's check of division by zero, loops become vector code."""
SUMS: dict[str, Any] = {**FAST, "fastmath": {"reassoc", "contract", "nsz"}}
"""For sums, which are vector code only if their order is free."""
padded, stride = compiled(**FAST)(layout.padded), compiled(**FAST)(layout.stride)


@compiled(**SUMS)
def squared_length(x):
    """Returns the squared length of x, in float64."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@compiled(**SUMS)
def squared_difference(x, y):
    """Returns the squared distance of x and y, in float64."""
    total = 0.0
    for i in range(len(x)):
        difference = np.float64(x[i]) - np.float64(y[i])
        total += difference * difference
    return total


@compiled(**FAST)
def fill_float32(points, lengths, square):
    """Writes squared distances; infinity on the diagonal.

    Args:
      points: float32 [m, D].
      lengths: their squared lengths, float32 [padded(m)].
      square: float32 [padded(m), stride(m)]; what is beyond m has no meaning.
    """
    m, pitch = len(points), square.shape[1]
    lower_products(points, square)
    flat = square.reshape(-1)
    for i in range(0, m, BLOCK):
        own = lengths[i : i + BLOCK]
        for j in range(0, i, BLOCK):
            other = lengths[j : j + BLOCK]
            lift_and_mirror(flat, i * pitch + j, j * pitch + i, pitch, own, other)
        for row in range(i, min(i + BLOCK, m)):
            for column in range(i, row):
                lifted = square[row, column] + (lengths[row] + lengths[column])
                square[row, column] = max(lifted, np.float32(0))
                square[column, row] = square[row, column]
            square[row, row] = np.inf


@compiled(**FAST)
def fill_float64(points, square):
    """Writes squared distances into [m, stride(m)], each by differences."""
    m = len(points)
    for i in range(m):
        square[i, i] = np.inf
        for j in range(i):
            square[i, j] = squared_difference(points[i], points[j])
            square[j, i] = square[i, j]
