"""Ward's clustering in plain NumPy: short, to be read, and to check the fast one by.

Nearest-neighbour chains with Lance-Williams updates of squared distances (paper,
Algorithm 1; F. Murtagh, "A Survey of Recent Advances in Hierarchical Clustering
Algorithms", 1983). All in float64, O(m^2) time and memory.
"""

from __future__ import annotations

import numpy as np

from recjax.users.dendrogram import Tree

SAME = 1e-9
"""Distances closer than this share are the same: rounding does not decide."""
SAME_LENGTH = 1e-14
"""The same as a share of the largest squared length of a vector."""

NOT_FINITE = "the points must be finite, and their squared lengths within float32"


def ward_reference(points: np.ndarray, sizes: np.ndarray | None = None) -> Tree:
    """Returns the merges of points [m, D] by Ward's rule.

    Ties: a chain starts at the lowest cluster there is. Among clusters at the same
    distance from its end, the one before the end is nearest, then the lowest. The end
    merges with the first nearest that is in the chain, which is cut off from there. A
    cluster has the number of its highest point.

    Args:
      points: [m, D].
      sizes: points that each one stands for [m], all 1 by default: clusters that exist
        already, by their means.

    Raises:
      ValueError: a point is not finite.
    """
    points = np.asarray(points, np.float64)
    m = len(points)
    if not np.isfinite((points**2).sum()):
        raise ValueError(NOT_FINITE)
    slack = SAME_LENGTH * (points**2).sum(1).max(initial=0)
    distance = np.stack([((points - point) ** 2).sum(1) for point in points])
    size = np.ones(m) if sizes is None else np.array(sizes, np.float64)
    distance *= 2 * np.outer(size, size) / np.add.outer(size, size)
    np.fill_diagonal(distance, np.inf)
    child, parent, height = [], [], []
    chain: list[int] = []
    while len(child) < m - 1:
        if not chain:
            chain.append(int(np.argmax(size > 0)))
        end = chain[-1]
        near = distance[end]
        same = near <= near.min() * (1 + SAME) + slack
        held = len(chain) > 1 and same[chain[-2]]
        to = chain[-2] if held else int(np.argmax(same))
        if to not in chain:
            chain.append(to)
            continue
        # Usually the one before the end. Where distances are the same but for rounding
        # a chain may come back further: the two are then each other's nearest as well.
        del chain[chain.index(to) :]
        low, high = sorted((end, to))
        child.append(low)
        parent.append(high)
        height.append(distance[low, high])
        _merge(distance, size, low, high)
    return Tree(np.array(child, np.int32), np.array(parent, np.int32), np.array(height))


def _merge(distance: np.ndarray, size: np.ndarray, low: int, high: int) -> None:
    """Takes the cluster `low` into the cluster `high`, in place."""
    others = np.flatnonzero(size > 0)
    others = others[(others != low) & (others != high)]
    n, a, b = size[others], size[low], size[high]
    to_low, to_high = distance[low, others], distance[high, others]
    apart = distance[low, high]
    merged = ((a + n) * to_low + (b + n) * to_high - n * apart) / (a + b + n)
    distance[high, others] = distance[others, high] = merged
    distance[low] = distance[:, low] = np.inf
    size[low], size[high] = 0, a + b
