"""The tree that hierarchical clustering makes, and what it is cut into."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import numpy as np

COMPILED = bool(find_spec("numba")) and os.environ.get("NUMBA_DISABLE_JIT", "0") in "0"
"""Whether the quick way is there; without it, plain NumPy does the same."""


@dataclass(frozen=True)
class Tree:
    """The m - 1 merges of m points, in an order in which parts precede the whole.

    A cluster is named by its highest point. Merge i takes the cluster named `child[i]`
    into the one named `parent[i]`, so each point but the last is a child exactly once,
    and `child[i] < parent[i]`.

    Attributes:
      child: int32 [m - 1].
      parent: int32 [m - 1].
      height: float64 [m - 1], in squared units: the distance of two points is
        ||x - y||^2, that of clusters A and B is 2 |A| |B| / (|A| + |B|) times the
        squared distance of their centroids. SciPy's heights are the square roots.
    """

    child: np.ndarray
    parent: np.ndarray
    height: np.ndarray

    @property
    def points(self) -> int:
        """Number of points, m."""
        return len(self.child) + 1


def cut(tree: Tree, alpha: float, cap: int | None = None) -> np.ndarray:
    """Returns the cluster of each point: int32 [m], numbered by their first points.

    Keeps the largest unions of height <= alpha. Ward's heights never fall from part to
    whole, so these are the clusters of the merges up to alpha (paper: Algorithm 1).

    Args:
      tree: all merges.
      alpha: largest height, in squared units: alpha = t**2 for SciPy's threshold t.
      cap: most clusters; where alpha leaves more, the next merges are made as well,
        lowest first, until so many are left.
    """
    made = tree.height <= alpha
    if cap is not None and tree.points - made.sum() > cap:
        order = np.argsort(tree.height, kind="stable")
        made[order[: tree.points - cap]] = True
    return labels(tree, made)


def labels(tree: Tree, made: np.ndarray) -> np.ndarray:
    """Returns the clusters that some of the merges make, as `cut` does.

    Args:
      tree: all merges.
      made: bool [m - 1], whether each merge is made; with a merge, all its parts'.
    """
    above = np.arange(tree.points, dtype=np.int32)
    above[tree.child[made]] = tree.parent[made]
    # A child is below its parent in number: a few jumps lead every point to the top.
    while not np.array_equal(above, higher := above[above]):
        above = higher
    _, first, inverse = np.unique(above, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int32)[inverse]


def linkage(tree: Tree) -> np.ndarray:
    """Returns the tree in SciPy's format: float64 [m - 1, 4], square-root heights.

    `scipy.cluster.hierarchy.dendrogram`, `fcluster` and the rest take it. A row holds
    two clusters, the square root of the height, and the points of their union; clusters
    below m are points, m + i is what row i makes.
    """
    table = np.empty((tree.points - 1, 4))
    _writer()(tree.child, tree.parent, tree.height, table)
    return table


@lru_cache(1)
def _writer():
    if not COMPILED:
        return write_linkage_reference
    from recjax.users.kernels.dendrogram import write_linkage

    return write_linkage


def write_linkage_reference(child, parent, height, table: np.ndarray) -> None:
    """Does what `tree_kernels.write_linkage` does."""
    points = len(child) + 1
    order = np.argsort(height, kind="stable")
    name, size = np.arange(points), np.ones(points)
    for row, merge in enumerate(order):
        low, high = child[merge], parent[merge]
        size[high] += size[low]
        pair = sorted((name[low], name[high]))
        table[row] = *pair, np.sqrt(height[merge]), size[high]
        name[high] = points + row
