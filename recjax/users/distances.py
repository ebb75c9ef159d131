"""The square matrix of squared distances that clustering begins with, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from recjax.users.blas import lower_products

FAST = {"cache": True, "nogil": True, "error_model": "numpy"}
"""Without Python's check of division by zero, loops become vector code."""
SUMS = {**FAST, "fastmath": {"reassoc", "contract", "nsz"}}
"""For sums, which are vector code only if their order is free."""
TILE = 32
LINE = 16
"""Numbers of a cache line, in float32."""


@njit(**FAST)
def stride(m):
    """Returns the numbers from row to row: whole cache lines, an odd number of them."""
    return (((m + LINE - 1) // LINE) | 1) * LINE


@njit(**FAST)
def padded(m):
    """Returns m rounded up to whole cache lines."""
    return (m + LINE - 1) // LINE * LINE


@njit(**SUMS)
def squared_length(x):
    """Returns the squared length of x, in float64."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@njit(**SUMS)
def squared_difference(x, y):
    """Returns the squared distance of x and y, in float64."""
    total = 0.0
    for i in range(len(x)):
        difference = np.float64(x[i]) - np.float64(y[i])
        total += difference * difference
    return total


@njit(**FAST)
def _lift(row, lengths, own):
    for j in range(len(row)):
        row[j] = max(row[j] + (lengths[j] + own), np.float32(0))


@njit(**FAST)
def fill_float32(points, lengths, square):
    """Writes squared distances into `square` [m, stride]; infinity on the diagonal."""
    m = len(points)
    lower_products(points, square)
    for top in range(0, m, TILE):
        for i in range(top, min(top + TILE, m)):
            _lift(square[i, :i], lengths, lengths[i])
            square[i, i] = np.inf
        for left in range(0, top + 1, TILE):
            for i in range(top, min(top + TILE, m)):
                for j in range(left, min(left + TILE, i)):
                    square[j, i] = square[i, j]


@njit(**FAST)
def fill_float64(points, square):
    """Writes squared distances, each by differences, as `fill_float32` does."""
    m = len(points)
    for i in range(m):
        square[i, i] = np.inf
        for j in range(i):
            square[i, j] = squared_difference(points[i], points[j])
            square[j, i] = square[i, j]
