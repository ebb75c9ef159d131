"""Where the distances of m points stand in memory: a square with room at its sides."""

from __future__ import annotations

LINE = 16
"""Numbers of a cache line, in float32."""


def padded(m: int) -> int:
    """Returns m rounded up to whole cache lines: the rows that there is room for."""
    return (m + LINE - 1) // LINE * LINE


def stride(m: int) -> int:
    """Returns the numbers from row to row: whole cache lines, an odd number of them."""
    return (((m + LINE - 1) // LINE) | 1) * LINE
